"""ADT to visits and patient numbers (HL7 v2.5.1, chapter 3)."""

from accounts.service import DEPARTMENTS
from records.admissions.service import Told
from records.hl7v2.parsing import Message, Segment
from records.hl7v2.refusals import MessageNotUnderstood
from records.hl7v2.results import read_moment
from records.hl7v2.translation import get_patient, read_numbers, read_subject, read_visit

# HL7 table 0004; what is none of these is of another kind.
_KINDS = {"I": "I", "O": "O", "E": "E", "H": "H"}


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


def _find(message: Message, name: str) -> Segment | None:
    return next((segment for segment in message.segments if segment.name == name), None)


def _read_department(pv1: Segment) -> str | None:
    """Hospital service (PV1-10), else the point of care (PV1-3.1), where it is a code of the national list."""
    return next((code for code in (pv1.component(10), pv1.component(3)) if code in DEPARTMENTS), None)
