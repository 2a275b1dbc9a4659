"""Why records may be opened without consent, and what a reviewer finds: codes, with the words and the law of each."""

from dataclasses import dataclass
from enum import StrEnum


class EmergencyReason(StrEnum):
    """Why a doctor opens a record in an emergency."""

    LIFE_AT_RISK = "life_at_risk"
    UNCONSCIOUS = "unconscious"
    CANNOT_ANSWER = "cannot_answer"
    MINOR_WITHOUT_GUARDIAN = "minor_without_guardian"
    PUBLIC_HEALTH_DUTY = "public_health_duty"


class ReviewFinding(StrEnum):
    """What a reviewer has found."""

    EMERGENCY_CONFIRMED = "emergency_confirmed"
    NO_EMERGENCY = "no_emergency"
    COULD_HAVE_BEEN_ASKED = "could_have_been_asked"
    BEYOND_NEED = "beyond_need"
    NOT_TREATING = "not_treating"

    @property
    def is_justified(self) -> bool:
        """Whether the access was right."""
        return self is ReviewFinding.EMERGENCY_CONFIRMED


@dataclass(frozen=True)
class Ground:
    """A reason as people read it, and the law that it rests on."""

    words: str
    law: str


_RESCUE = "《民法典》第一千二百二十条、《医师法》第二十七条、《个人信息保护法》第十三条第一款第四项"

GROUNDS: dict[EmergencyReason, Ground] = {
    EmergencyReason.LIFE_AT_RISK: Ground("生命垂危，须立即抢救", _RESCUE),
    EmergencyReason.UNCONSCIOUS: Ground("意识不清，无法表达意愿", _RESCUE),
    EmergencyReason.CANNOT_ANSWER: Ground("情况紧急，患者无法说明病史", _RESCUE),
    EmergencyReason.MINOR_WITHOUT_GUARDIAN: Ground("未成年人急需救治，联系不到监护人", _RESCUE),
    EmergencyReason.PUBLIC_HEALTH_DUTY: Ground(
        "处置突发公共卫生事件", "《个人信息保护法》第十三条第一款第三项、第四项、《传染病防治法》"
    ),
}

# Sensitive matters are opened for this one alone, and only when the doctor asks for them by themselves.
OPENS_SENSITIVE = EmergencyReason.LIFE_AT_RISK

FINDINGS: dict[ReviewFinding, str] = {
    ReviewFinding.EMERGENCY_CONFIRMED: "情况紧急属实，查看正当",
    ReviewFinding.NO_EMERGENCY: "当时并无紧急情况",
    ReviewFinding.COULD_HAVE_BEEN_ASKED: "患者或监护人当时可以同意，应先征得同意",
    ReviewFinding.BEYOND_NEED: "确有紧急情况，但查看超出救治需要",
    ReviewFinding.NOT_TREATING: "查看者未参与救治",
}
