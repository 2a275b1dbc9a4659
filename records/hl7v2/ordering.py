"""ORM^O01 to orders (HL7 v2.5.1, section 4.4.1)."""

from records.hl7v2.parsing import Message, Segment
from records.hl7v2.refusals import MessageNotUnderstood
from records.hl7v2.results import read_code, read_moment
from records.hl7v2.translation import get_patient, read_identifier, read_subject, read_visit
from records.orders.service import Answer, Placed, PlacedOrder
from records.reports.incoming import LONGEST_IDENTIFIER

MOST_ORDERS = 200

# HL7 table 0119, what is asked for, to FHIR R4 request-status.
_CONTROLS = {
    "NW": "active",
    "SN": "active",
    "XO": "active",
    "RP": "active",
    "RL": "active",
    "CA": "revoked",
    "OC": "revoked",
    "DC": "revoked",
    "OD": "revoked",
    "HD": "on-hold",
    "OH": "on-hold",
}
# HL7 table 0038, of a change of status (SC).
_STATUSES = {
    "CM": "completed",
    "CA": "revoked",
    "DC": "revoked",
    "RP": "revoked",
    "ER": "entered-in-error",
    "HD": "on-hold",
    "A": "active",
    "IP": "active",
    "SC": "active",
    "": "active",
}


def read_orders(message: Message, hospital_code: str) -> Placed:
    """Everything that a message orders, about one patient: each ORC with the OBR that follows it.

    :raises MessageNotUnderstood: it does not hold what docs/interfaces/hl7v2.md asks for.
    """
    pairs: list[tuple[Segment, Segment]] = []
    control: Segment | None = None
    for segment in message.segments:
        if segment.name == "ORC":
            control = segment
        elif segment.name == "OBR" and control is not None:
            pairs.append((control, segment))
            control = None
    if not 0 < len(pairs) <= MOST_ORDERS:
        raise MessageNotUnderstood("ORC", f"From 1 to {MOST_ORDERS} pairs of ORC and OBR are expected.")
    placed = tuple(_read_order(orc, obr) for orc, obr in pairs)
    if len({order.placer_number for order in placed}) != len(placed):
        raise MessageNotUnderstood("ORC-2", "Two orders have one placer order number.")
    visit_id, visit_number = read_visit(message)
    return Placed(read_subject(get_patient(message), hospital_code), visit_id, visit_number, placed)


def read_answers(message: Message) -> list[Answer]:
    """Of an ORU^R01 that was understood: which order each report answers (OBR-2 or ORC-2; OBR-3)."""
    answers: list[Answer] = []
    control: Segment | None = None
    for segment in message.segments:
        if segment.name == "ORC":
            control = segment
        elif segment.name == "OBR":
            placer = segment.component(2) or (control.component(2) if control else "")
            answers.append(Answer(read_identifier(segment), placer or None, segment.component(3) or None))
            control = None
    return answers


def _read_order(orc: Segment, obr: Segment) -> PlacedOrder:
    number = orc.component(2) or obr.component(2)
    if not 0 < len(number) <= LONGEST_IDENTIFIER:
        raise MessageNotUnderstood("ORC-2", f"The placer order number is expected, of at most {LONGEST_IDENTIFIER}.")
    filler = orc.component(3) or obr.component(3)
    if len(filler) > LONGEST_IDENTIFIER:
        raise MessageNotUnderstood("ORC-3", f"At most {LONGEST_IDENTIFIER} characters are expected.")
    code, code_system, name = read_code(obr, 4)
    return PlacedOrder(
        placer_number=number,
        filler_number=filler or None,
        code=code,
        code_system=code_system,
        name=name,
        status=_read_status(orc),
        ordered_at=read_moment(orc, 9) or read_moment(obr, 6),
    )


def _read_status(orc: Segment) -> str:
    control = orc.component(1)
    status = _STATUSES.get(orc.component(5)) if control == "SC" else _CONTROLS.get(control)
    if status is None:
        raise MessageNotUnderstood("ORC-1", "NW, XO, SN, CA, DC, HD, RL or SC with a status in ORC-5 is expected.")
    return status
