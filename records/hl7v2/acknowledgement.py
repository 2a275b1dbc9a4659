"""ACK messages (HL7 v2.5.1, sections 2.9 and 2.14): AA filed, AE kept in quarantine, AR not taken.

In enhanced mode (MSH-15 or MSH-16 is given) the sender says which acknowledgements it wants: CA, CE and CR say the same
as AA, AE and AR, and both come after the commit.
"""

import re
import secrets

from core import clock
from core.errors import NotFound, Refusal
from records.hl7v2.parsing import Coding, Message

# Refusal code to HL7 table 0357.
_ERROR_CODES = {
    "records.message_unreadable": "100^Segment sequence error",
    "records.message_type_unsupported": "200^Unsupported message type",
    "records.message_not_for_production": "202^Unsupported processing id",
    "records.facility_wrong": "204^Unknown key identifier",
    "records.person_not_matched": "204^Unknown key identifier",
    "records.person_contradicts": "204^Unknown key identifier",
    "records.message_dismissed": "205^Duplicate key identifier",
    "records.visit_not_matched": "204^Unknown key identifier",
    "records.message_key_reused": "205^Duplicate key identifier",
    "records.report_of_another_person": "205^Duplicate key identifier",
    "records.report_outdated": "205^Duplicate key identifier",
    "records.message_not_understood": "102^Data type error",
}


def accept(message: Message) -> str:
    """AA: the message's reports are filed."""
    return _compose("AA", message.control_id, message, [])


def refuse(refusal: Refusal, control_id: str, message: Message | None) -> str:
    """AE for what is kept in quarantine, AR for what is not; with our code in ERR-5.

    :param message: None when it could not even be read.
    """
    return _compose("AE" if refusal.keeps_changes else "AR", control_id, message, [_error(refusal)])


def list_answers(message: Message | None, text: str) -> list[str]:
    """What is sent back: the acknowledgement, or in enhanced mode those that the sender asked for, perhaps none.

    :param text: as ``accept`` or ``refuse`` made it, now or when the message came first.
    """
    if message is None:
        return [text]
    wanted = [message.header.component(number) for number in (15, 16)]
    if not any(wanted):
        return [text]
    is_good = "\rMSA|AA|" in text
    received = re.sub("\rMSA\\|A", "\rMSA|C", text, count=1).replace("|P|2.5.1", "C|P|2.5.1", 1)
    return [
        answer
        for answer, condition in zip((received, text), wanted, strict=True)
        if condition in {"AL", "SU" if is_good else "ER"}
    ]


def _compose(code: str, control_id: str, message: Message | None, more: list[str]) -> str:
    write = Coding().write
    to = [write(message.header.component(number)) for number in (3, 4)] if message else ["", ""]
    charset = write(message.header.component(18)) if message else ""
    trigger = write(message.header.component(9, 2)) if message else ""
    kind = f"ACK^{trigger}^ACK" if trigger else "ACK"
    at = clock.in_city(clock.now()).strftime("%Y%m%d%H%M%S%z")
    segments = [
        f"MSH|^~\\&|YIMATONG||{to[0]}|{to[1]}|{at}||{kind}|{secrets.token_hex(10)}|P|2.5.1||||||{charset}",
        f"MSA|{code}|{write(control_id)}",
        *more,
    ]
    return "\r".join(segments) + "\r"


def _error(refusal: Refusal) -> str:
    """ERR: where, HL7's code, severity, our code, for the technician, for the user."""
    write = Coding().write
    segment, _, field = str(refusal.members.get("field", "")).partition("-")
    location = f"{segment}^1^{field}" if segment else ""
    standard = _ERROR_CODES.get(refusal.code) or _tell_by_kind(refusal)
    return (
        f"ERR||{location}|{standard}^HL70357|E|{refusal.code}^{write(refusal.title)}^L||"
        f"{write(refusal.text)}|{write(refusal.title)}"
    )


def _tell_by_kind(refusal: Refusal) -> str:
    """207 alone says that the same message may be taken later: what is refused for good is never told so."""
    if refusal.status >= 500:
        return "207^Application internal error"
    return "204^Unknown key identifier" if isinstance(refusal, NotFound) else "102^Data type error"
