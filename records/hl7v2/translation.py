"""ORU^R01 to what reports file (HL7 v2.5.1, section 7.3.1)."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

from records.hl7v2.authors import read_authors
from records.hl7v2.parsing import Message, Segment, part
from records.hl7v2.refusals import MessageNotUnderstood
from records.hl7v2.results import read_code, read_document, read_moment, translate_observation
from records.intake.subjects import Subject
from records.reports.incoming import (
    LONGEST_ACCESSION_NUMBER,
    LONGEST_IDENTIFIER,
    MOST_OBSERVATIONS,
    Incoming,
    IncomingObservation,
    IncomingReport,
    categorise,
)
from records.reports.models import ObservationStatus, ReportCategory, ReportStatus

# The assigning authority of what the platform itself gave out (card numbers, visit ids).
PLATFORM = "YIMATONG"
# The assigning authority of certificates: the name of the code table of their types.
CERTIFICATE_TABLE = "CV02.01.101"
LONGEST_VISIT_NUMBER = 64
FILLER_ORDER = "urn:yimatong:hl7v2:filler-order"

_CERTIFICATES = {"NNCHN": "01", "NI": "01", "PPN": "03"}
_PSEUDONYMS = {"S", "U"}
# HL7 table 0001, and how systems in the field write the same (GB/T 2261.1).
_SEXES = {"M": "male", "F": "female", "男": "male", "女": "female", "1": "male", "2": "female"}
_PATIENT_NUMBERS = {"", "MR", "PI", "PT", "PN"}
# HL7 table 0123; what has no results to file (I, O, S, Y, Z) is missing.
_STATUSES = {
    "A": ReportStatus.PRELIMINARY,
    "P": ReportStatus.PRELIMINARY,
    "R": ReportStatus.PRELIMINARY,
    "F": ReportStatus.FINAL,
    "C": ReportStatus.CORRECTED,
    "X": ReportStatus.CANCELLED,
}
# Placer field 1 (IHE Radiology TF-2, 4.4), and where systems in the field write it instead.
_ACCESSION_FIELDS = (18, 20, 19)
_UNFINISHED = {ObservationStatus.REGISTERED.value, ObservationStatus.PRELIMINARY.value}


@dataclass
class _Order:
    """One OBR with what belongs to it; each OBX with its notes."""

    obr: Segment
    notes: list[str] = field(default_factory=list)
    results: list[tuple[Segment, list[str]]] = field(default_factory=list)
    study_uid: str | None = None

    def add_note(self, text: str) -> None:
        """A note belongs to what it follows."""
        (self.results[-1][1] if self.results else self.notes).append(text)


def translate(message: Message, hospital_code: str) -> Incoming:
    """Everything in a message, about one patient; each OBR is a report of its own.

    :param hospital_code: whose patient numbers are meant by an assigning authority of this name.
    :raises MessageNotUnderstood: it does not hold what docs/interfaces/hl7v2.md asks for.
    """
    patient = get_patient(message)
    reports = [_translate_order(order) for order in _group_orders(message)]
    if not reports:
        raise MessageNotUnderstood("OBR", "At least one OBR segment is expected.")
    if len({report.identifier for report in reports}) != len(reports):
        raise MessageNotUnderstood("OBR-3", "Two OBR segments have one filler order number.")
    if sum(len(report.observations) for report in reports) > MOST_OBSERVATIONS:
        raise MessageNotUnderstood("OBX", f"More than {MOST_OBSERVATIONS} OBX segments.")
    visit_id, visit_number = read_visit(message)
    return Incoming(read_subject(patient, hospital_code), visit_id, tuple(reports), visit_number=visit_number)


def get_patient(message: Message) -> Segment:
    """The one PID segment.

    :raises MessageNotUnderstood: there is none, or more than one.
    """
    patients = [segment for segment in message.segments if segment.name == "PID"]
    if len(patients) != 1:
        raise MessageNotUnderstood("PID", "Exactly one PID segment is expected.")
    return patients[0]


def _group_orders(message: Message) -> list[_Order]:
    orders: list[_Order] = []
    for segment in message.segments:
        match segment.name:
            case "OBR":
                orders.append(_Order(segment))
            case "OBX" if orders and _is_study(segment):
                orders[-1].study_uid = _read_uid(segment.component(5)) or orders[-1].study_uid
            case "OBX" if orders:
                orders[-1].results.append((segment, []))
            case "OBX":
                raise MessageNotUnderstood("OBX", "An OBX segment stands before the first OBR.")
            case "ZDS" if orders:
                orders[-1].study_uid = orders[-1].study_uid or _read_uid(segment.component(1))
            case "NTE" if orders:
                orders[-1].add_note(segment.text(3))
            case "DSC":
                raise MessageNotUnderstood("DSC", "Continued messages are not taken in; send the report whole.")
    return orders


def _translate_order(order: _Order) -> IncomingReport:
    code, code_system, name = read_code(order.obr, 4)
    documents: list[tuple[Segment, list[str]]] = []
    results: list[tuple[Segment, list[str]]] = []
    for obx, notes in order.results:
        (documents if _is_document(obx) else results).append((obx, notes))
    observations = tuple(translate_observation(obx, notes) for obx, notes in results)
    conclusion = [*order.notes, *(note for _, notes in documents for note in notes)]
    issued_at = read_moment(order.obr, 22)
    taken_at = [read_moment(obx, 14) for obx, _ in order.results]
    effective_at = next((at for at in (read_moment(order.obr, 7), *taken_at, issued_at) if at is not None), None)
    if effective_at is None:
        raise MessageNotUnderstood("OBR-7", "The time of the observation is expected.")
    category = categorise(order.obr.component(24) or "LAB")
    return IncomingReport(
        identifier=read_identifier(order.obr),
        status=_read_status(order.obr, observations).value,
        category=category.value,
        code=code,
        code_system=code_system,
        name=name,
        effective_at=effective_at,
        issued_at=issued_at,
        conclusion="\n".join(conclusion) or None,
        observations=observations,
        attachments=tuple(read_document(obx) for obx, _ in documents),
        authors=read_authors(order.obr, [obx for obx, _ in results], [obx for obx, _ in documents]),
        accession_number=None if category is ReportCategory.LABORATORY else _read_accession_number(order.obr),
        study_instance_uid=None if category is ReportCategory.LABORATORY else order.study_uid,
    )


def _read_accession_number(obr: Segment) -> str | None:
    """The first that is given. Fields for anybody's use may also hold what is no number: that says nothing."""
    said = next((number for field in _ACCESSION_FIELDS if (number := obr.component(field).strip())), None)
    return said if said and len(said) <= LONGEST_ACCESSION_NUMBER else None


def _is_study(obx: Segment) -> bool:
    """An OBX that says which study of images it is about, and is no result (DICOM PS3.16: 113014, DICOM Study)."""
    return obx.component(3) == "113014" and obx.component(3, 3) == "DCM"


def _read_uid(written: str) -> str | None:
    """A StudyInstanceUID; what is none says nothing."""
    uid = written.removeprefix("urn:oid:")
    return uid if re.fullmatch(r"[0-9.]{1,64}", uid) else None


def _is_document(obx: Segment) -> bool:
    return obx.component(2) == "ED" and obx.raw(5) != "" and obx.component(11) not in {"D", "W", "X"}


def read_identifier(obr: Segment) -> tuple[str, str]:
    """System and value of a report's identifier (OBR-3).

    :raises MessageNotUnderstood: there is none, or it is too long.
    """
    number, namespace, universal, kind = (obr.component(3, position) for position in (1, 2, 3, 4))
    if not number:
        raise MessageNotUnderstood("OBR-3", "The filler order number is expected: it identifies the report.")
    if universal and kind == "ISO":
        system = f"urn:oid:{universal}"
    else:
        system = f"{FILLER_ORDER}:{namespace}" if namespace else FILLER_ORDER
    if max(len(system), len(number)) > LONGEST_IDENTIFIER:
        raise MessageNotUnderstood("OBR-3", f"At most {LONGEST_IDENTIFIER} characters are expected.")
    return system, number


def _read_status(obr: Segment, observations: tuple[IncomingObservation, ...]) -> ReportStatus:
    written = obr.component(25)
    if written:
        if written not in _STATUSES:
            raise MessageNotUnderstood("OBR-25", "Not a status with results to file (HL7 table 0123).")
        return _STATUSES[written]
    found = {observation.status for observation in observations}
    if ObservationStatus.CORRECTED in found or ObservationStatus.WITHDRAWN in found:
        return ReportStatus.CORRECTED
    return ReportStatus.PRELIMINARY if found & _UNFINISHED else ReportStatus.FINAL


def read_subject(pid: Segment, hospital_code: str) -> Subject:
    """Who is meant by PID-3. Numbers that another authority gave out say nothing here and are passed over."""
    cards, certificates = set(), set()
    for identifier in pid.repetitions(3):
        value, authority, kind = part(identifier, 1), _authority(pid, part(identifier, 4)), part(identifier, 5)
        if not value:
            continue
        if kind == "HC":
            cards.add(value)
        elif kind in _CERTIFICATES:
            certificates.add((_CERTIFICATES[kind], value))
        elif authority == CERTIFICATE_TABLE:
            certificates.add((kind, value))
    return Subject(
        frozenset(cards),
        frozenset(read_numbers(pid, 3, hospital_code)),
        frozenset(certificates),
        names=_read_names(pid),
        sex=_SEXES.get(pid.component(8).upper(), "unknown"),
        birth_date=_read_birth_date(pid),
    )


def _read_names(pid: Segment) -> frozenset[str]:
    """PID-5: family and given names of every repetition that is the person's own (HL7 table 0200)."""
    written = [_whole_name(name) for name in pid.repetitions(5) if part(name, 7) not in _PSEUDONYMS]
    # Chinese names are written without a space between the two.
    return frozenset(name if name.isascii() else name.replace(" ", "") for name in written if name)


def _whole_name(name: list[str]) -> str:
    family, given, middle = (part(name, number) for number in (1, 2, 3))
    # Some systems write the whole name where the given one belongs.
    return " ".join(each for each in ("" if given.startswith(family) else family, given, middle) if each).strip()


def _read_birth_date(pid: Segment) -> date | None:
    """PID-7, its first eight digits; a date that is none compares nothing."""
    try:
        return datetime.strptime(pid.component(7)[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def read_numbers(segment: Segment, field: int, hospital_code: str) -> set[str]:
    """The hospital's own patient numbers in a field of type CX."""
    numbers = {
        part(identifier, 1)
        for identifier in segment.repetitions(field)
        if part(identifier, 5) in _PATIENT_NUMBERS and _authority(segment, part(identifier, 4)) in {"", hospital_code}
    }
    return numbers - {""}


def read_visit(message: Message) -> tuple[UUID | None, str | None]:
    """PV1-19: the platform's visit id, or the hospital's own number of the visit; each alone or both, repeated.

    :raises MessageNotUnderstood: no visit id of the platform's, or a number of more than 64 characters.
    """
    visit_id, number = None, None
    for segment in message.segments:
        for written in segment.repetitions(19) if segment.name == "PV1" and segment.raw(19) else ():
            if _authority(segment, part(written, 4)) == PLATFORM:
                visit_id = _read_visit_id(part(written, 1))
            elif part(written, 1):
                number = part(written, 1)
    if number is not None and len(number) > LONGEST_VISIT_NUMBER:
        raise MessageNotUnderstood("PV1-19", f"At most {LONGEST_VISIT_NUMBER} characters are expected.")
    return visit_id, number


def _read_visit_id(written: str) -> UUID:
    try:
        return UUID(written)
    except ValueError:
        raise MessageNotUnderstood("PV1-19", "The visit id that the desk scan returned is expected.") from None


def _authority(segment: Segment, component: str) -> str:
    """The namespace of an assigning authority (HD)."""
    return segment.coding.split(component, segment.coding.subcomponent)[0]
