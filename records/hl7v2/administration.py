"""ADT to visits and patient numbers (HL7 v2.5.1, chapter 3)."""

import re
from datetime import date

from accounts.service import DEPARTMENTS
from records.admissions.service import Told
from records.hl7v2.parsing import Message, Segment, part
from records.hl7v2.refusals import MessageNotUnderstood
from records.hl7v2.results import read_moment
from records.hl7v2.translation import get_patient, read_numbers, read_subject, read_visit

# HL7 table 0004; what is none of these is of another kind.
_KINDS = {"I": "I", "O": "O", "E": "E", "H": "H"}
_SEXES = {"M": "male", "F": "female", "1": "male", "2": "female", "男": "male", "女": "female"}
_CHINESE = re.compile(r"[\u3400-\u9fff\U00020000-\U000323af·]+")


def read_told(message: Message, hospital_code: str) -> Told:
    """What an ADT message says of a visit.

    :raises MessageNotUnderstood: it does not hold what docs/interfaces/hl7v2.md asks for.
    """
    pid = get_patient(message)
    pv1 = _find(message, "PV1")
    if pv1 is None:
        raise MessageNotUnderstood("PV1", "The visit is expected.")
    visit_id, visit_number = read_visit(message)
    event = _find(message, "EVN")
    return Told(
        subject=read_subject(pid, hospital_code),
        names=_read_names(pid),
        sex=_SEXES.get(pid.component(8).upper(), "unknown"),
        birth_date=read_birth_date(pid),
        visit_id=visit_id,
        visit_number=visit_number,
        kind=_KINDS.get(pv1.component(2), "T"),
        department=_read_department(pv1),
        at=read_moment(pv1, 44) or (read_moment(event, 2) if event else None),
    )


def read_merge(message: Message, hospital_code: str) -> tuple[str, str]:
    """The number that was retired (MRG-1), and the one that stands (PID-3).

    :raises MessageNotUnderstood: not exactly one of the hospital's own numbers each.
    """
    mrg = _find(message, "MRG")
    if mrg is None:
        raise MessageNotUnderstood("MRG", "The retired patient number is expected.")
    retired = read_numbers(mrg, 1, hospital_code)
    surviving = read_numbers(get_patient(message), 3, hospital_code)
    if len(retired) != 1:
        raise MessageNotUnderstood("MRG-1", "Exactly one of the hospital's patient numbers is expected.")
    if len(surviving) != 1 or retired == surviving:
        raise MessageNotUnderstood("PID-3", "Exactly one of the hospital's patient numbers, another one, is expected.")
    return retired.pop(), surviving.pop()


def read_birth_date(pid: Segment) -> date | None:
    """PID-7; None when it is empty.

    :raises MessageNotUnderstood: not a day.
    """
    written = pid.component(7)
    if not written:
        return None
    try:
        return date(int(written[:4]), int(written[4:6]), int(written[6:8]))
    except ValueError:
        raise MessageNotUnderstood("PID-7", "A birth date is expected (YYYYMMDD).") from None


def _find(message: Message, name: str) -> Segment | None:
    return next((segment for segment in message.segments if segment.name == name), None)


def _read_names(pid: Segment) -> frozenset[str]:
    """Family and given name together, or either alone, as systems write them; names in other letters say nothing."""
    names = set()
    for written in pid.repetitions(5):
        family, given = (re.sub(r"\s", "", part(written, number)) for number in (1, 2))
        whole = given if given.startswith(family) else family + given
        if _CHINESE.fullmatch(whole):
            names.add(whole)
    return frozenset(names)


def _read_department(pv1: Segment) -> str | None:
    """Hospital service (PV1-10), else the point of care (PV1-3.1), where it is a code of the national list."""
    return next((code for code in (pv1.component(10), pv1.component(3)) if code in DEPARTMENTS), None)
