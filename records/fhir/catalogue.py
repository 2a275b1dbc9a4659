"""What the FHIR interface offers, type by type: the routes, the searches and the CapabilityStatement come from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

TOKEN, DATE, REFERENCE = "token", "date", "reference"

# What every search knows beside the type's own parameters.
EVERYWHERE = {"_id": TOKEN, "_lastUpdated": DATE}


@dataclass(frozen=True)
class Kind:
    """A resource type. ``parameters``: name of the search parameter to its type and to what of a row it asks.

    :ivar is_taken_in: hospitals create and update it here; every version can be read.
    :ivar is_versioned: has versions that can be read.
    :ivar includes: what ``_include`` may ask for, as ``Type:parameter``.
    :ivar writes: of what is not taken in: what can be done all the same.
    :ivar documentation: who writes it, where it is not simply taken in.
    """

    name: str
    parameters: Mapping[str, tuple[str, str]]
    is_taken_in: bool = False
    is_versioned: bool = False
    includes: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    documentation: str | None = None

    @property
    def submit_permission(self) -> str:
        """What filing it demands."""
        return f"records:{'report' if self.name in {'DiagnosticReport', 'Observation'} else 'entry'}:submit"

    @property
    def permission(self) -> str:
        """What reading it demands."""
        return f"records:fhir_{self.name.lower()}:read"

    @property
    def search_permission(self) -> str:
        """What searching it demands."""
        return f"records:fhir_{self.name.lower()}:search"


def _asks(tokens: Mapping[str, str], dates: Mapping[str, str], *references: str) -> Mapping[str, tuple[str, str]]:
    found = {name: (kind, name) for name, kind in EVERYWHERE.items()}
    found |= {name: (TOKEN, asked) for name, asked in tokens.items()}
    found |= {name: (DATE, asked) for name, asked in dates.items()}
    return MappingProxyType(found | {name: (REFERENCE, _ASKED.get(name, name)) for name in references})


_ASKED = {"subject": "patient", "based-on": "based_on"}


def _entry(name: str, tokens: Mapping[str, str], dates: Mapping[str, str], *references: str) -> Kind:
    asked = _asks({"identifier": "identifier"} | dict(tokens), dates, *references)
    includes = tuple(f"{name}:{one}" for one in references if one in {"patient", "subject", "encounter"})
    return Kind(name, asked, is_taken_in=True, is_versioned=True, includes=includes)


_CODED = {"code": "code", "category": "category", "status": "status"}
_KINDS = (
    _entry(
        "AllergyIntolerance",
        {"code": "code", "category": "category", "clinical-status": "status"},
        {"date": "date"},
        "patient",
    ),
    Kind(
        "AuditEvent",
        _asks({"subtype": "subtype", "entity-name": "entity-name"}, {"date": "date"}, "patient", "agent", "entity"),
        documentation="A login asks for its persons by patient, an audit administrator by all of these. Read only: the "
        "platform itself writes a row with every act, in the act's own transaction.",
    ),
    _entry(
        "Condition",
        {"code": "code", "category": "category", "clinical-status": "status"},
        {"onset-date": "date"},
        "patient",
        "subject",
        "encounter",
    ),
    Kind(
        "Consent",
        _asks({"status": "status"}, {}, "patient"),
        writes=("update",),
        documentation="An update by the patient himself that says inactive revokes it. None is created here: what a "
        "hospital may see begins with the code that the patient shows at its desk.",
    ),
    Kind(
        "DiagnosticReport",
        _asks({"identifier": "identifier"} | _CODED, {"date": "date"}, "patient", "subject", "encounter", "based-on"),
        is_taken_in=True,
        is_versioned=True,
        includes=(
            "DiagnosticReport:result",
            "DiagnosticReport:patient",
            "DiagnosticReport:subject",
            "DiagnosticReport:encounter",
            "DiagnosticReport:performer",
            "DiagnosticReport:results-interpreter",
            "DiagnosticReport:based-on",
        ),
    ),
    _entry(
        "DocumentReference",
        {"type": "code", "category": "category", "status": "status"},
        {"date": "date"},
        "patient",
        "subject",
        "encounter",
    ),
    _entry("Encounter", {"class": "code", "status": "status"}, {"date": "date"}, "patient", "subject"),
    _entry("Immunization", {"vaccine-code": "code", "status": "status"}, {"date": "date"}, "patient"),
    _entry("MedicationRequest", _CODED, {"authoredon": "date"}, "patient", "subject", "encounter"),
    Kind(
        "Observation",
        _asks(
            {"identifier": "identifier", "combo-code": "any_code"} | _CODED,
            {"date": "date"},
            "patient",
            "subject",
            "encounter",
            "based-on",
        ),
        is_taken_in=True,
        is_versioned=True,
        includes=(
            "Observation:patient",
            "Observation:subject",
            "Observation:encounter",
            "Observation:performer",
            "Observation:based-on",
        ),
    ),
    Kind(
        "Organization",
        _asks({"identifier": "identifier"}, {}),
        documentation="Read only: hospitals and their departments are entered by the operator of the platform.",
    ),
    Kind(
        "Patient",
        _asks({"identifier": "identifier"}, {}),
        writes=("create",),
        documentation="A create, alone or in a batch, registers the person of a certificate; sent again it is the same "
        "person. In a transaction there is none: who has been registered stays so, whatever else is refused with him. "
        "Details are corrected at a desk that has seen the document, so there is no update.",
    ),
    Kind(
        "Practitioner",
        _asks({}, {}),
        documentation="Read only: the operator of the platform enters who works at a hospital, with his account.",
    ),
    _entry("Procedure", _CODED, {"date": "date"}, "patient", "subject", "encounter"),
    Kind(
        "Provenance",
        _asks({}, {}, "target"),
        documentation="Read only: the platform itself notes which message brought a version.",
    ),
    _entry("ServiceRequest", _CODED, {"authored": "date"}, "patient", "subject", "encounter"),
    _entry("Specimen", {"type": "code", "status": "status"}, {"collected": "date"}, "patient", "subject"),
)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
# The compartment of a person, in the order of ``$everything``.
OF_A_PERSON = tuple(
    kind.name for kind in _KINDS if "patient" in kind.parameters and kind.name not in {"AuditEvent", "Consent"}
)
