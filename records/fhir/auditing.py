"""Rows of the access log and of the audit trail as AuditEvents, by IHE BALP where a row says all that a profile wants.

A row that fits none of its profiles is an AuditEvent of FHIR R4 and claims no more: lists keep no query string, which
PatientQuery demands, since it may name a person. No network addresses are kept either: a client is named there by the
URN of its registration, or of the login or account.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.service import AuditLine
from consent.service import AccessRow
from core.actor import ActorKind
from records.fhir import systems
from records.fhir.presenting import Resource, show_moment

_BALP = "https://profiles.ihe.net/ITI/BALP"
PROFILE = f"{_BALP}/StructureDefinition/IHE.BasicAudit."
_TERMS = "http://terminology.hl7.org/CodeSystem"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_ACTIONS = {"read": "R", "listed": "R", "printed": "R", "opened": "C", "filed": "C", "created": "C", "registered": "C"}
# What an act is called that gives one thing, many, or a file to take away.
_READS, _LISTS, _EXPORTS = {"read"}, {"listed", "searched"}, {"records.export.read", "records.study.copied"}
_DECISIONS = {"consent.grant.opened", "consent.grant.extended"}
_PURPOSES = {
    "treatment": "TREAT",
    "consultation": "TREAT",
    "insurance": "HPAYMT",
    "emergency": "BTG",
    "family": "FAMRQT",
    "own": "PATRQT",
    "guardian": "PATRQT",
    "sharing": "PATRQT",
    "app": "PATRQT",
}
_PLATFORM = {"display": "一码通"}


@dataclass(frozen=True)
class Act:
    """A row, by whoever shows it: ``who`` and ``house`` are references, as far as they may be named.

    :ivar house: the hospital of who acted.
    :ivar basis: by which right: id, and version where it is known.
    """

    id: UUID
    at: datetime
    action: str
    who_kind: str
    who: Resource
    who_urn: str
    house: Resource | None
    person_id: UUID | None
    thing: tuple[str, UUID | None] | None
    purpose: str | None
    basis: tuple[UUID, int | None] | None
    request_id: str | None

    @property
    def verb(self) -> str:
        return self.action.rpartition(".")[2]


def show_access(row: AccessRow) -> Resource:
    """A row as its person reads it: with names."""
    known = {"reference": f"Practitioner/{row.staff_id}"} if row.staff_id else {}
    return show_act(
        Act(
            id=row.id,
            at=row.at,
            action=row.action,
            who_kind=row.who_kind,
            who=known | {"display": row.who},
            who_urn=f"urn:uuid:{row.staff_id or row.id}",
            house={"display": row.hospital_name} if row.hospital_name else None,
            person_id=row.person_id,
            thing=(row.object_kind or "", row.object_id) if row.object_id else None,
            purpose=row.purpose,
            basis=(row.grant_id, row.grant_version) if row.grant_id else None,
            request_id=None,
        )
    )


def show_line(line: AuditLine) -> Resource:
    """A row as an auditor reads it: ids and codes only."""
    is_of_house = line.actor_kind == ActorKind.STAFF and line.hospital_id is not None
    identifier = {"identifier": {"system": systems.ACTOR, "value": str(line.actor_id)}}
    return show_act(
        Act(
            id=line.id,
            at=line.at,
            action=line.action,
            who_kind=line.actor_kind,
            who=identifier | ({"reference": f"Practitioner/{line.actor_id}"} if is_of_house else {}),
            who_urn=f"urn:uuid:{line.actor_id}",
            house={"reference": f"Organization/{line.hospital_id}"} if line.hospital_id else None,
            person_id=line.subject_id,
            thing=(line.object_kind or "", line.object_id) if line.object_id else None,
            purpose=line.purpose,
            basis=(line.basis_id, line.basis_version) if line.basis_id else None,
            request_id=line.request_id,
        )
    )


def show_act(act: Act) -> Resource:
    """The AuditEvent of a row, by the first profile that it fills."""
    if act.action in _DECISIONS and act.basis and act.house and act.person_id:
        return _show_decision(act)
    if act.action in _EXPORTS and act.thing and act.person_id:
        return _show_export(act)
    is_read = act.verb in _READS and act.thing is not None and act.person_id is not None
    interaction = "read" if is_read else "search-type" if act.verb in _LISTS else None
    found = _frame(act, {"system": f"{_TERMS}/audit-event-type", "code": "rest"}, "PatientRead" if is_read else None)
    found["subtype"] = [{"system": systems.ACT, "code": act.action}]
    if interaction:
        found["subtype"].append({"system": _INTERACTION, "code": interaction})
    found["action"] = "R" if is_read else _ACTIONS.get(act.verb, "E")
    found["agent"] = [_user(act), *_ends(act, client="110152", server="110153")]
    found["entity"] = [*_patient(act), *_thing(act), *_basis(act), *_transaction(act)]
    return _without_nothing(found)


def _show_decision(act: Act) -> Resource:
    """AuthZconsent: a code was shown, and by that a hospital may see. What it allows is closed: patient and consent."""
    found = _frame(act, {"system": _DICOM, "code": "110113"}, "AuthZconsent")
    found |= {"subtype": [{"system": f"{_BALP}/CodeSystem/AuthZsubType", "code": "AuthZ-Consent"}], "action": "E"}
    found["outcomeDesc"] = act.action
    user = _user(act)
    user.pop("altId")
    user.pop("location", None)
    client = {"type": _type(_DICOM, "110150"), "who": act.who, "requestor": False, "network": _network(act.who_urn)}
    house = {"type": _type(f"{_TERMS}/v3-RoleClass", "PROV"), "who": act.house, "requestor": False}
    authorizer = {"type": _type(f"{_TERMS}/extra-security-role-type", "authserver"), "who": _PLATFORM}
    found["agent"] = [user, client, house, authorizer | {"requestor": False}]
    found["entity"] = [*_patient(act), *_basis(act)]
    return _without_nothing(found)


def _show_export(act: Act) -> Resource:
    """PrivacyDisclosure, as its source sees it: a file was taken away."""
    found = _frame(act, {"system": _DICOM, "code": "110106"}, "PrivacyDisclosure.Source")
    disclosed = {"system": f"{_TERMS}/iso-21089-lifecycle", "code": "disclose"}
    found |= {"subtype": [disclosed, {"system": systems.ACT, "code": act.action}], "action": "R"}
    found["agent"] = [_user(act), *_ends(act, client="110152", server="110153")]
    found["entity"] = [*_patient(act), *_thing(act), *_basis(act), *_transaction(act)]
    return _without_nothing(found)


def _frame(act: Act, kind: Resource, profile: str | None) -> Resource:
    why = {"text": act.purpose}
    if act.purpose in _PURPOSES:
        why |= {"coding": [{"system": f"{_TERMS}/v3-ActReason", "code": _PURPOSES[act.purpose]}]}  # type: ignore[dict-item]
    return {
        "resourceType": "AuditEvent",
        "id": str(act.id),
        "meta": {"profile": [f"{PROFILE}{profile}"]} if profile else None,
        "type": kind,
        "subtype": [],
        "action": None,
        "recorded": show_moment(act.at),
        "outcome": "0",
        "outcomeDesc": None,
        "purposeOfEvent": [why] if act.purpose else [],
        "agent": [],
        "source": {"observer": _PLATFORM, "type": [{"system": f"{_TERMS}/security-source-type", "code": "4"}]},
        "entity": [],
    }


def _user(act: Act) -> Resource:
    """Who it was; what stands behind him is the client."""
    user: Resource = {
        "type": _type(f"{_TERMS}/v3-ParticipationType", "IRCP"),
        "who": act.who,
        "requestor": True,
        "altId": act.who_kind,
    }
    named = act.house.get("display") if act.house else None
    return user | ({"location": {"display": named}} if named else {})


def _ends(act: Act, *, client: str, server: str) -> list[Resource]:
    """Where the data went, and where from (DICOM PS3.16, CID 402)."""
    whose = act.house or act.who
    return [
        {"type": _type(_DICOM, client), "who": whose, "requestor": False, "network": _network(act.who_urn)},
        {"type": _type(_DICOM, server), "who": _PLATFORM, "requestor": False, "network": _network("urn:yimatong")},
    ]


def _network(urn: str) -> Resource:
    return {"address": urn, "type": "5"}


def _patient(act: Act) -> list[Resource]:
    if act.person_id is None:
        return []
    what = {"reference": f"Patient/{act.person_id}"}
    return [{"what": what, "type": _coding(f"{_TERMS}/audit-entity-type", "1"), "role": _coding(_ROLE, "1")}]


_ROLE = f"{_TERMS}/object-role"


def _thing(act: Act) -> list[Resource]:
    if act.thing is None:
        return []
    kind, id_ = act.thing
    what = {"identifier": {"value": str(id_)}}
    return [
        {"what": what, "type": _coding(f"{_TERMS}/audit-entity-type", "2"), "role": _coding(_ROLE, "4"), "name": kind}
    ]


def _basis(act: Act) -> list[Resource]:
    """By which right: a grant can be read as a Consent, what an app was let in for cannot."""
    if act.basis is None:
        return []
    id_, version = act.basis
    if act.purpose == "app":
        return [{"what": {"identifier": {"value": str(id_)}}, "name": "app_authorization"}]
    consent = {
        "what": {"reference": f"Consent/{id_}"},
        "type": _coding("http://hl7.org/fhir/resource-types", "Consent"),
    }
    return [consent | ({"detail": [{"type": "version", "valueString": str(version)}]} if version else {})]


def _transaction(act: Act) -> list[Resource]:
    if act.request_id is None:
        return []
    kind = _coding(f"{_BALP}/CodeSystem/BasicAuditEntityType", "XrequestId")
    return [{"what": {"identifier": {"value": act.request_id}}, "type": kind}]


def _type(system: str, code: str) -> Resource:
    return {"coding": [_coding(system, code)]}


def _coding(system: str, code: str) -> Resource:
    return {"system": system, "code": code}


def _without_nothing(found: dict[str, Any]) -> Resource:
    return {name: value for name, value in found.items() if value not in (None, [])}
