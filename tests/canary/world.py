"""200 patients in 5 hospitals, a canary in each of their fields: a few with everything that there is, and many."""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from accounts.models import Role
from core import clock, db
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate
from health_card.models import Holder, Person, Relation
from health_card.service.ages import last_birth_date
from records.exports import jobs as exports
from records.fhir import systems
from records.images.models import Instance, Series, Study
from records.reports.incoming import LOINC
from records.reports.models import Report, ReportAttachment
from records.uploads import jobs as uploads
from tests.canary.marks import HOUSE, Scanner, name_of, phone_of, text_of, value_of
from tests.canary.states import HOME, HOUSES, STATES, TREATING, State
from tests.conftest import SteppingClock
from tests.support import dicom, entries, fhir
from tests.support.administration import Desk
from tests.support.apps import AppSide
from tests.support.channels import write_upload
from tests.support.city import ALL_SCOPES, City, Hospital, Machine, Patient, Staff, bearer, resident_id
from tests.support.documents import DOCUMENT
from tests.support.hl7v2 import DEFAULT_RESULT, orm, oru

PATIENTS, HOSPITALS = 200, 5
HIV = (LOINC, "7917-8")
# What waits for a doctor's review before its patient sees it.
REVIEWED = (LOINC, "11502-2")


@dataclass
class Member:
    """Somebody of the cast. ``number``: of the canaries. ``ids``: of what there is of him, by FHIR type or by table."""

    number: int
    patient: Patient
    state: State
    visit_id: UUID | None = None
    ids: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class World:
    """``cast``: whom every route is asked about, by name. ``houses_of``: where each patient's results come from."""

    city: City
    clock: SteppingClock
    scanner: Scanner = field(default_factory=Scanner)
    hospitals: list[Hospital] = field(default_factory=list)
    doctors: list[Staff] = field(default_factory=list)
    registrars: list[Staff] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    cast: dict[str, Member] = field(default_factory=dict)
    guardian: Patient = field(init=False)
    persons: dict[UUID, int] = field(default_factory=dict)
    houses_of: dict[int, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    staff: set[str] = field(default_factory=set)
    sharing: dict[int, frozenset[str]] = field(default_factory=dict)

    def register(self) -> Patient:
        """One more patient, with a login of his own."""
        number = len(self.persons)
        born = date(1940, 1, 1) + timedelta(days=97 * number)
        certificate_number = resident_id(born.strftime("%Y%m%d"))
        token, refresh_token = self.city.login()
        details = health_card.Details(
            name_of(number),
            phone_of(number),
            check_certificate(CertificateType.RESIDENT_ID, certificate_number),
            address=text_of(number, "ID"),
        )
        actor = self.city.actor(token)
        with db.transaction() as session:
            done = health_card.register_person(session, actor, details=details)
        self.scanner.numbers[certificate_number] = number
        self.scanner.ids[str(done.person_id)] = number
        self.persons[done.person_id] = number
        return Patient(
            token,
            refresh_token,
            actor,
            done.person_id,
            done.card.id,
            done.card.number,
            certificate_number,
            details.name,
            details.phone,
        )


def build(city: City, stepping: SteppingClock) -> World:
    """Everything is sent by the interfaces through which hospitals and people send it."""
    world = World(city, stepping)
    for number in range(HOSPITALS):
        hospital = city.hospital(f"第{number}测试医院")
        world.hospitals.append(hospital)
        world.doctors.append(city.staff(hospital, name=f"测试医生{number}"))
        world.registrars.append(city.staff(hospital, Role.REGISTRAR, f"测试登记员{number}"))
        world.machines.append(city.machine(hospital, ALL_SCOPES))
    operator = Desk(city, Role.OPERATOR)
    operator.make("/release-rules", sensitivity="hiv", mode="at_once")
    operator.make("/release-rules", code_system=REVIEWED[0], code=REVIEWED[1], mode="after_review")
    _cast(world)
    _count_rows()
    for member in world.cast.values():
        _send_everything(world, member)
        member.visit_id = member.state.open(world, member.patient)
        world.sharing[member.number] = member.state.shares
    _hide(world)
    _fill(world)
    _count_rows()
    for number in range(HOSPITALS):
        _leave_waiting(world, number)
    for member in world.cast.values():
        member.ids |= _list_ids(world, member)
    for name in ("active", "guardian"):
        world.cast[name].ids["export_id"] = [make_export(world, name)]
    _sign_everybody_in(world, operator)
    return world


def _count_rows() -> None:
    """Plans are made for as many rows as there are. A vacuum may have found tables empty, between two tests."""
    with db.transaction() as session:
        session.execute(text("ANALYZE"))


def _cast(world: World) -> None:
    for state in STATES:
        world.cast[state.name] = Member(len(world.persons), world.register(), state)
    for name, born, relation, state in (
        ("guardian", None, Relation.SELF, STATES[1]),
        ("child", last_birth_date(6), Relation.CHILD, STATES[0]),
        ("adolescent", last_birth_date(15), Relation.CHILD, STATES[0]),
        ("grown", last_birth_date(18), Relation.CHILD, STATES[1]),
        ("spouse", None, Relation.SPOUSE, STATES[1]),
    ):
        member = Member(len(world.persons), world.register(), state)
        world.cast[name] = member
        if name == "guardian":
            world.guardian = member.patient
            continue
        now = clock.now()
        with db.transaction() as session:
            held = Holder(login_id=world.guardian.actor.id, person_id=member.patient.person_id, relation=relation)
            held.created_at = held.confirmed_at = now - timedelta(days=400)
            # A guardian's access ends with the day.
            held.valid_until = now if name == "grown" else None
            session.add(held)
            if born is not None:
                session.get_one(Person, member.patient.person_id).birth_date = born


def _send_everything(world: World, member: Member) -> None:
    """Each kind of item that there is, from the home hospital."""
    city, number, patient = world.city, member.number, member.patient
    machine, hospital = world.machines[HOME], world.hospitals[HOME]
    world.houses_of[number] = HOME
    subject = fhir.card(patient.card_number)

    def send(prefix: str, code: tuple[str, str], **said: Any) -> None:
        result = fhir.observation(
            code[1],
            text_of(number, f"{prefix}N"),
            valueQuantity=None,
            valueString=text_of(number, f"{prefix}V"),
            referenceRange=None,
            performer=[{"display": text_of(number, f"{prefix}A")}],
        )
        # Of what is not to be seen by all nothing may be seen in a trend either.
        value = value_of(number) if prefix == "R" else 7.2
        measured = fhir.observation(valueQuantity={"value": value, "unit": "mmol/L"})
        named = {"coding": [{"system": code[0], "code": code[1]}], "text": text_of(number, f"{prefix}T")}
        report = fhir.report(subject, code=named, conclusion=text_of(number, f"{prefix}C"), **said)
        reply = fhir.send(city, machine, fhir.bundle(report, result, measured))
        member.ids.setdefault(f"report_{prefix}", []).append(fhir.report_id_of(reply))

    send("R", (LOINC, "24323-8"))
    send("S", HIV)
    send("H", REVIEWED)
    for resource in entries.every_kind(entries.named(patient.card_number)):
        entries.file(city, machine.token, _marked(resource, number))
    city.bind_number(hospital, patient, f"MZ{number:04d}")
    image = dicom.make_image(
        SpecificCharacterSet="ISO_IR 192",
        PatientID=f"MZ{number:04d}",
        StudyDescription=text_of(number, "DS"),
        SeriesDescription=text_of(number, "DE"),
        ReferringPhysicianName=text_of(number, "DR"),
        ProtocolName=text_of(number, "DP"),
        AccessionNumber=text_of(number, "DA"),
    )
    assert city.store(machine, image).status_code == 200
    inside = base64.b64encode(DOCUMENT + f"% {text_of(number, 'FF')}".encode()).decode()
    attached = f"OBX|2|ED|PDF^{text_of(number, 'FD')}^L||LIS^application^pdf^Base64^{inside}||||||F"
    headers = bearer(machine.token) | {"Content-Type": "application/hl7-v2"}
    for message in (
        oru(hospital.code, f"{patient.card_number}^^^^HC", DEFAULT_RESULT, attached),
        _order(hospital, member),
    ):
        assert "|AA|" in city.client.post("/api/v1/hl7v2/messages", data=message.encode(), headers=headers).text
    with db.snapshot() as session:
        held = select(ReportAttachment.report_id).join(Report, Report.id == ReportAttachment.report_id)
        member.ids["report_F"] = [str(session.scalars(held.where(Report.person_id == patient.person_id)).one())]


def _order(hospital: Hospital, member: Member) -> str:
    number = member.number
    order = f"OBR|1|P{number}|F{number}|58410-2^{text_of(number, 'OR')}^LN"
    placed = f"ORC|NW|P{number}|F{number}||||||20260305083000"
    return orm(hospital.code, f"{member.patient.card_number}^^^^HC", placed, order)


def _marked(resource: dict[str, Any], number: int) -> dict[str, Any]:
    """An entry with a canary in the texts that say what it is about, and in one inside of it."""
    letter = "C" if resource["resourceType"] == "Condition" else "E"
    marked = text_of(number, f"{letter}N")
    for name in ("code", "vaccineCode", "type", "medicationCodeableConcept"):
        if name in resource:
            resource[name] = resource[name] | {"text": marked}
    if resource["resourceType"] == "DocumentReference":
        inside = base64.b64encode(text_of(number, "EF").encode()).decode()
        resource["content"] = [{"attachment": {"contentType": "text/plain", "data": inside}}]
    elif resource["resourceType"] == "Encounter":
        resource["reasonCode"] = [{"text": marked}]
    else:
        resource["note"] = [{"text": text_of(number, f"{letter}T")}]
    return resource


def _hide(world: World) -> None:
    """The adolescent keeps one more report from the guardian."""
    member = world.cast["adolescent"]
    named = {"coding": [{"system": LOINC, "code": "58410-2"}], "text": text_of(member.number, "KT")}
    value = {"valueQuantity": None, "valueString": text_of(member.number, "KV"), "referenceRange": None}
    result = fhir.observation("718-7", text_of(member.number, "KN"), **value)
    report = fhir.report(fhir.card(member.patient.card_number), code=named, conclusion=text_of(member.number, "KC"))
    report_id = fhir.report_id_of(fhir.send(world.city, world.machines[HOME], fhir.bundle(report, result)))
    member.ids["report_K"] = [report_id]
    headers = bearer(member.patient.token)
    assert world.city.client.post(f"/api/v1/timeline/{report_id}/hide", json={}, headers=headers).status_code == 200


def _fill(world: World) -> None:
    """All the others: lists of small hospitals, of which some patients have been to the treating hospital too."""
    rows: dict[int, list[dict[str, str]]] = {number: [] for number in range(HOSPITALS)}
    while len(world.persons) < PATIENTS:
        number = len(world.persons)
        patient = world.register()
        world.houses_of[number] = number % HOSPITALS
        if number % 40 < len(STATES):
            STATES[number % 40].open(world, patient)
            world.sharing[number] = STATES[number % 40].shares
        rows[number % HOSPITALS].append(
            {
                "report_number": f"L{number}",
                "card_number": patient.card_number,
                "name": patient.name,
                "report_name": text_of(number, "RT"),
                "performed_at": "2026-03-05 08:30",
                "item_name": text_of(number, "RN"),
                "result": text_of(number, "RV"),
                "conclusion": text_of(number, "RC"),
            }
        )
    _count_rows()
    for house, lines in rows.items():
        upload = _upload(world, house, *lines)
        path = f"/api/v1/uploads/{upload['id']}/commit"
        reply = world.city.client.post(path, json={}, headers=bearer(world.registrars[house].token))
        assert reply.status_code == 202, reply.text
        uploads.file_list({"upload_id": upload["id"]})


def _upload(world: World, house: int, *rows: dict[str, str]) -> dict[str, Any]:
    headers = bearer(world.registrars[house].token)
    reply = world.city.client.post(
        "/api/v1/uploads", data=write_upload(*rows), content_type="text/csv", headers=headers
    )
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.get_json()
    return found


def _leave_waiting(world: World, house: int) -> None:
    """A report of nobody in quarantine, and a list that was checked and not filed."""
    number = HOUSE + house
    subject = {"identifier": {"system": systems.PATIENT_NUMBER, "value": "NOBODY"}, "display": text_of(number, "QN")}
    report = fhir.report(("", "")) | {"subject": subject, "conclusion": text_of(number, "QC")}
    reply = fhir.send(world.city, world.machines[house], fhir.bundle(report, fhir.observation()))
    assert reply.status_code == 422, reply.text
    row = {"report_number": "U1", "patient_number": "NOBODY", "name": text_of(number, "UN")}
    row |= {"report_name": text_of(number, "UT"), "performed_at": "2026-03-05 08:30"}
    _upload(world, house, row | {"item_name": text_of(number, "UI"), "result": text_of(number, "UV")})


def _list_ids(world: World, member: Member) -> dict[str, list[str]]:
    """What there is of a person, as he finds it himself."""
    city, token = world.city, member.patient.token
    found: dict[str, list[str]] = {}
    for resource_type in health_types():
        # These are asked for without naming a person.
        about = "" if resource_type in {"Organization", "Practitioner"} else f"patient={member.patient.person_id}&"
        bundle = city.client.get(f"/fhir/{resource_type}?{about}_count=50", headers=bearer(token)).json
        found[resource_type] = [entry["resource"]["id"] for entry in bundle.get("entry", []) if "resource" in entry]
    with db.transaction() as session:
        of_person = select(Study.id, Study.study_instance_uid, Series.series_instance_uid, Instance.sop_instance_uid)
        of_person = of_person.join(Series, Series.study_id == Study.id).join(Instance, Instance.series_id == Series.id)
        row = session.execute(of_person.where(Study.person_id == member.patient.person_id)).one()
    return found | dict(zip(("study_id", "study", "series", "instance"), ([str(one)] for one in row), strict=True))


def health_types() -> tuple[str, ...]:
    """Of whatever a patient may search."""
    return (
        "AllergyIntolerance", "AuditEvent", "Condition", "Consent", "DiagnosticReport", "DocumentReference",
        "Encounter", "Immunization", "MedicationRequest", "Observation", "Organization", "Patient", "Practitioner",
        "Procedure", "Provenance", "ServiceRequest", "Specimen",
    )  # fmt: skip


def _sign_everybody_in(world: World, operator: Desk) -> None:
    city, tokens = world.city, world.tokens
    staff = {"operator": operator.staff}
    for role in (Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR, Role.QUALITY_OFFICER):
        staff[role.value] = city.staff(None, role)
    for name, house in HOUSES.items():
        staff[f"doctor_{name}"], staff[f"registrar_{name}"] = world.doctors[house], world.registrars[house]
        tokens[f"machine_{name}"] = world.machines[house].token
    staff["colleague_treating"] = city.staff(world.hospitals[TREATING], name="测试医生未接诊")
    tokens["reader_treating"] = city.machine(world.hospitals[TREATING], ["system/*.read"]).token
    tokens["biller_treating"] = city.machine(world.hospitals[TREATING], ["billing.write"]).token
    for name, member in staff.items():
        tokens[name] = member.token
        world.staff.add(name)
    for name, who in world.cast.items():
        # For a child its guardian asks.
        if name != "child":
            tokens[f"patient_{name}"] = who.patient.token
    app, shared = AppSide(city), world.cast["active"].patient
    tokens["app_wide"] = app.tokens(shared)["access_token"]
    tokens["app_narrow"] = app.tokens(shared, "patient/Condition.rs")["access_token"]
    tokens["stranger_token"] = secrets.token_urlsafe(24)


def make_export(world: World, name: str) -> str:
    """A file of everything about a person, as the worker makes it."""
    headers = bearer(world.cast[name].patient.token)
    reply = world.city.client.post("/api/v1/exports", json={}, headers=headers)
    assert reply.status_code == 202, reply.text
    exports.make_export({"export_id": reply.json["id"]})
    return str(reply.json["id"])
