"""What every protocol translates its messages into: one message, one person, one or more reports."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from core import clock
from records.entries.incoming import IncomingEntry, Target
from records.intake.subjects import Subject
from records.reports.models import ReportCategory

# HL7 ObservationInterpretation (http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation; HL7 v2 table
# 0078 uses the same codes).
_INTERPRETATIONS = (
    "N A AA H HH HU L LL LU < > U D B W S R I IE MS VS SDD SYN-R SYN-S NS RR WR POS NEG IND E DET ND EX HX LX "
    "AC TOX NR QCF CAR EXP UNE"
)
INTERPRETATIONS = frozenset(_INTERPRETATIONS.split())
COMPARATORS = frozenset({"<", "<=", ">=", ">"})

# HL7 table 0074, diagnostic service sections; what is in neither is an examination of another kind.
_LABORATORY = "LAB BG BLB CG CH CP GE HM IMM MB MCB MYC OSL PAR PAT SP SR TX URN VR"
_IMAGING = "CT CTH CUS NMR NMS OUS RAD RUS RX US VUS XRC"

LOINC = "http://loinc.org"
# A code whose system is not named is the hospital's own.
LOCAL_CODE = "urn:yimatong:code:local"
UCUM = "http://unitsofmeasure.org"
MOST_OBSERVATIONS = 2000
# Documents that may come inside a report, and how each begins.
ATTACHMENT_TYPES = {"application/pdf": b"%PDF-", "image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}
ATTACHMENT_ENDINGS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}
LONGEST_IDENTIFIER = 255
# DICOM has 16 characters for it; systems in the field take more.
LONGEST_ACCESSION_NUMBER = 64
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_MOST_DIGITS = 38
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


@dataclass(frozen=True)
class IncomingObservation:
    """One observation as sent; the fields are those of ``models.Observation``."""

    status: str
    code: str
    code_system: str
    name: str
    value: Decimal | None = None
    comparator: str | None = None
    text: str | None = None
    unit: str | None = None
    unit_code: str | None = None
    reference_low: Decimal | None = None
    reference_high: Decimal | None = None
    reference_text: str | None = None
    interpretation: str | None = None
    note: str | None = None
    component_count: int | None = None


@dataclass(frozen=True)
class IncomingAttachment:
    """A document inside a report. ``content_type``: what its first bytes say, one of ``ATTACHMENT_TYPES``."""

    title: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class IncomingReport:
    """One report as sent; the fields are those of ``models.Report``.

    :ivar encounter_ids: encounters that it names by our ids; one of them may be a visit.
    :ivar target: set when it has to be the next version of exactly this one.
    :ivar keeps_existing: a report with this identifier stays as it is (a conditional create).
    :ivar authors: see ``authors.keep_authors``.
    :ivar accession_number: under which the hospital made the examination, where it says one (``records.joining``).
    :ivar based_on: the orders that it answers, where it names any (``records.fhir.ordering``).
    :ivar study_instance_uid: of the images of the examination, where it says one.
    """

    identifier: tuple[str, str]
    status: str
    category: str
    code: str
    code_system: str
    name: str
    effective_at: datetime
    issued_at: datetime | None
    conclusion: str | None
    observations: tuple[IncomingObservation, ...]
    attachments: tuple[IncomingAttachment, ...] = ()
    encounter_ids: tuple[UUID, ...] = ()
    target: Target | None = None
    keeps_existing: bool = False
    authors: dict[str, Any] | None = None
    accession_number: str | None = None
    based_on: list[dict[str, str]] | None = None
    study_instance_uid: str | None = None


@dataclass(frozen=True)
class Incoming:
    """One message. ``visit_id``: the visit that the sender names, as the platform told it at the desk scan.

    :ivar visit_number: the hospital's own number of the visit; one that nobody knows says nothing.
    """

    subject: Subject
    visit_id: UUID | None
    reports: tuple[IncomingReport, ...]
    entries: tuple[IncomingEntry, ...] = ()
    visit_number: str | None = None


def categorise(section: str) -> ReportCategory:
    """The category of a diagnostic service section (HL7 table 0074)."""
    if section in _LABORATORY.split():
        return ReportCategory.LABORATORY
    return ReportCategory.IMAGING if section in _IMAGING.split() else ReportCategory.OTHER


def find_attachment_type(content: bytes) -> str | None:
    """What a document is by its first bytes, when it is of a type that is kept."""
    return next((kind for kind, first in ATTACHMENT_TYPES.items() if content.startswith(first)), None)


def read_decimal(written: str | Decimal) -> Decimal:
    """The exact number, its trailing zeros kept: 5.10 stays 5.10.

    :raises ValueError: not a number, or one of more than 38 digits before or behind the point.
    """
    # Python would also read 1_000, Infinity and digits of other scripts.
    if isinstance(written, str) and not _NUMBER.fullmatch(written):
        raise ValueError("not a decimal number")
    try:
        number = Decimal(written)
    except InvalidOperation:
        raise ValueError("an exponent that cannot be kept") from None
    if not number.is_finite():
        raise ValueError("not a finite number")
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) > _MOST_DIGITS or not -_MOST_DIGITS <= exponent <= _MOST_DIGITS:
        raise ValueError("more digits than can be kept exactly")
    return number.quantize(Decimal(1)) if exponent > 0 and number.adjusted() < 27 else number


def is_plausible(moment: datetime) -> bool:
    """Whether something can have been performed or issued then: not a century ago, not after tomorrow."""
    return _EARLIEST <= moment <= clock.now() + timedelta(days=1)


def is_storable(written: str) -> bool:
    """Whether a text is well-formed Unicode without NUL: what the database can keep."""
    if written.isascii() or "\0" in written:
        return "\0" not in written
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True
