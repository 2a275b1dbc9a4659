"""What is unusual: rules as data. Each is looked at once an access, in the worker; ``more_than`` raises the alarm."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Rule(StrEnum):
    """Why the audit administrator is told of an access."""

    MANY_BY_DOCTOR = "many_by_doctor"
    MANY_AT_NIGHT = "many_at_night"
    MANY_ON_PERSON = "many_on_person"
    AFTER_REVOKE = "after_revoke"
    REVIEW_OVERDUE = "review_overdue"
    NOT_JUSTIFIED = "not_justified"


@dataclass(frozen=True)
class Limit:
    """More than so many within this time, this access counted."""

    more_than: int
    within: timedelta


LIMITS: dict[Rule, Limit] = {
    # Accesses opened by one doctor.
    Rule.MANY_BY_DOCTOR: Limit(3, timedelta(hours=24)),
    # Persons whose records one doctor opened at night, of one night.
    Rule.MANY_AT_NIGHT: Limit(2, timedelta(hours=8)),
    # Doctors who opened one person's records, of whatever hospital.
    Rule.MANY_ON_PERSON: Limit(3, timedelta(hours=24)),
    # Accesses of one hospital to one person after he had ended another of it.
    Rule.AFTER_REVOKE: Limit(0, timedelta(hours=24)),
}

# The hours of the night in the city.
NIGHT_FROM, NIGHT_UNTIL = 22, 6

WORDS: dict[Rule, str] = {
    Rule.MANY_BY_DOCTOR: "同一医生 24 小时内多次紧急访问",
    Rule.MANY_AT_NIGHT: "同一医生一夜之间查看多名患者",
    Rule.MANY_ON_PERSON: "同一患者 24 小时内被多名医生紧急访问",
    Rule.AFTER_REVOKE: "患者终止后 24 小时内又被同一医院紧急访问",
    Rule.REVIEW_OVERDUE: "逾期未复核",
    Rule.NOT_JUSTIFIED: "复核认定不正当",
}
