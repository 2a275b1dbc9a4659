"""Persons, hospitals, grants, the access log and origins to resources of FHIR R4."""

from typing import Any

from accounts.service import HospitalCard, Practitioner
from consent.service import AccessRow, GrantView
from health_card.service import PlainDemographics
from records.fhir import systems
from records.fhir.presenting import Resource, show_hospital, show_moment
from records.fhir.service.reading import Hit, Scene
from records.fhir.service.registry import PersonFile

_OUTCOMES = {"in_force": "active", "expired": "inactive", "revoked": "inactive", "used_up": "inactive"}
_POSITIONS = {"doctor": "医生", "registrar": "登记员"}
_ACTIONS = {"read": "R", "listed": "R", "printed": "R", "opened": "C", "filed": "C", "created": "C", "registered": "C"}
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_CONSENT_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
# v3-ActReason and v3-ActCode, the nearest that HL7 has.
_PURPOSES = {
    "treatment": "TREAT",
    "consultation": "TREAT",
    "insurance": "HPAYMT",
    "sharing": "PATRQT",
    "emergency": "ETREAT",
}
_LABELS = {"hiv": "HIV", "psychiatric": "PSY", "reproductive": "SEX", "genetic": "GDIS"}
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


def show_person(file: PersonFile) -> Resource:
    """A Patient: the person himself as he is, others as far as they may know him."""
    person = file.person
    identifiers: list[Resource] = [{"system": systems.CARD, "value": number} for number in file.cards]
    if file.patient_number is not None:
        hospital_id, number = file.patient_number
        assigner = {"assigner": {"reference": f"Organization/{hospital_id}"}}
        identifiers.append({"use": "usual", "system": systems.PATIENT_NUMBER, "value": number} | assigner)
    if person.certificate_number and isinstance(person, PlainDemographics):
        system = f"{systems.CERTIFICATE}{person.certificate_type}"
        identifiers.append({"use": "official", "system": system, "value": person.certificate_number})
    found: Resource = {
        "resourceType": "Patient",
        "id": str(file.id),
        "identifier": identifiers,
        "active": True,
        "name": [{"text": person.name}],
        "telecom": [{"system": "phone", "value": person.phone}] if person.phone else [],
        "gender": person.sex,
        "birthDate": person.birth_date.isoformat() if person.birth_date else None,
        "address": [{"text": person.address}] if isinstance(person, PlainDemographics) and person.address else [],
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def show_organization(hospital: HospitalCard) -> Resource:
    """An Organization: a hospital."""
    return {
        "resourceType": "Organization",
        "id": str(hospital.id),
        "identifier": [{"system": systems.HOSPITAL, "value": hospital.code}],
        "active": True,
        "name": hospital.name,
    }


def show_practitioner(person: Practitioner) -> Resource:
    """A Practitioner: somebody who works at a hospital. What he signs in with is nobody's business."""
    return {
        "resourceType": "Practitioner",
        "id": str(person.id),
        "active": person.is_active,
        "name": [{"text": person.name}],
        "qualification": [
            {
                "code": {"text": _POSITIONS[person.role]},
                "issuer": {"reference": f"Organization/{person.hospital.id}", "display": person.hospital.name},
            }
        ],
    }


def show_grant(grant: GrantView) -> Resource:
    """A Consent: whom a person lets see what, for what, and until when."""
    return {
        "resourceType": "Consent",
        "id": str(grant.id),
        "meta": {"versionId": str(grant.version), "lastUpdated": show_moment(grant.revoked_at or grant.starts_at)},
        "status": _OUTCOMES[grant.status],
        "scope": _coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [_coded("http://loinc.org", "59284-0")],
        "patient": {"reference": f"Patient/{grant.person_id}"},
        "dateTime": show_moment(grant.starts_at),
        "policyRule": _coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTIN"),
        "provision": _show_provision(grant),
    }


def _show_provision(grant: GrantView) -> Resource:
    """What the grant allows. The days are FHIR's ``dataPeriod``; visits and items are ``data``."""
    scope, whom = grant.scope, grant.recipient
    reference: Resource = {"display": grant.hospital_name}
    if whom.staff_id is not None:
        reference = {"reference": f"Practitioner/{whom.staff_id}"}
    elif whom.hospital_id is not None:
        reference |= {"reference": f"Organization/{whom.hospital_id}"}
    if whom.department is not None:
        reference |= {"identifier": {"system": systems.DEPARTMENT, "value": whom.department}}
    named = [
        *({"meaning": "related", "reference": {"reference": f"Encounter/{one}"}} for one in scope.visit_ids or ()),
        *({"meaning": "instance", "reference": {"identifier": {"value": str(one)}}} for one in scope.item_ids or ()),
    ]
    days = {"start": scope.since_on, "end": scope.until_on}
    found: Resource = {
        "type": "permit",
        "period": {"start": show_moment(grant.starts_at), "end": show_moment(grant.revoked_at or grant.expires_at)},
        "actor": [{"role": _coded(_PARTICIPATION, "IRCP"), "reference": reference}],
        "action": [_coded(_CONSENT_ACTION, one) for one in ("access", *(["use"] if scope.may_download else []))],
        "securityLabel": [
            {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": _LABELS[one]}
            for one in sorted(scope.sensitivities)
        ],
        "purpose": [{"system": _ACT_CODE, "code": _PURPOSES[grant.purpose]}],
        "class": [{"system": systems.ITEM_KIND, "code": one} for one in sorted(scope.kinds or ())],
        "dataPeriod": {name: day.isoformat() for name, day in days.items() if day},
        "data": sorted(named, key=str),
    }
    return {name: value for name, value in found.items() if value not in ([], {})}


def show_access(row: AccessRow) -> Resource:
    """An AuditEvent: a row of the access log."""
    known = {"reference": f"Practitioner/{row.staff_id}"} if row.staff_id else {}
    who: Resource = {"who": known | {"display": row.who}, "requestor": True, "altId": row.who_kind}
    entity: Resource = {"what": {"identifier": {"value": str(row.object_id)}}, "name": row.object_kind}
    found: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": str(row.id),
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "subtype": [{"system": systems.ACT, "code": row.action}],
        "action": _ACTIONS.get(row.action.rpartition(".")[2], "E"),
        "recorded": show_moment(row.at),
        "outcome": "0",
        "purposeOfEvent": [{"text": row.purpose}] if row.purpose else [],
        "agent": [who | ({"location": {"display": row.hospital_name}} if row.hospital_name else {})],
        "source": {"observer": {"display": "一码通"}},
        "entity": [
            {"what": {"reference": f"Patient/{row.person_id}"}},
            *([entity] if row.object_id else []),
            *([_show_basis(row)] if row.grant_id else []),
        ],
    }
    return {name: value for name, value in found.items() if value != []}


def _show_basis(row: AccessRow) -> Resource:
    """By which right: a grant can be read as a Consent, what an app was let in for cannot."""
    if row.purpose == "app":
        return {"what": {"identifier": {"value": str(row.grant_id)}}, "name": "app_authorization"}
    return {"what": {"reference": f"Consent/{row.grant_id}"}}


def show_origin(hit: Hit, scene: Scene) -> Resource:
    """A Provenance: which hospital's message brought a version, and when."""
    row = hit.rows[0]
    return {
        "resourceType": "Provenance",
        "id": f"{row.id}.{row.version}",
        "target": [{"reference": f"{hit.resource_type}/{hit.resource_id}/_history/{row.version}"}],
        "recorded": show_moment(row.filed_at),
        "activity": {"text": row.channel},
        "agent": [{"who": show_hospital(scene, row)}],
        "entity": [
            {
                "role": "source",
                "what": {"identifier": {"system": systems.MESSAGE, "value": str(row.inbound_message_id)}},
            }
        ],
    }


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}
