"""A scene for requests that are made up: who asks, what there is to ask for, and what no answer may be."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from sqlalchemy import Connection, Engine, Uuid, func, select
from werkzeug.test import TestResponse

from accounts.models import Role
from accounts.roles import PATIENT_PERMISSIONS, ROLE_PERMISSIONS, SCOPE_PERMISSIONS
from core import clock, db
from core.audit import AuditEntry
from core.db import Base
from core.errors import Unavailable, list_refusals
from core.outbox import OutboxMessage
from records.fhir import systems
from tests.support.browsing import Browser
from tests.support.channels import ROW, House, write_upload
from tests.support.charts import open_case
from tests.support.city import ALL_SCOPES, City, Hospital, Patient, Staff, bearer
from tests.support.entries import call, every_kind, named
from tests.support.savepoints import begin_savepoint, send

# What a caller's parameter is called, and in which table it is found, where the names differ.
TABLE_OF = {
    "object": "timeline_entries",
    "message": "inbound_messages",
    "look_up": "desk_look_ups",
    "link": "person_links",
    "match": "match_candidates",
    "line": "credit_lines",
    "rule": "release_rules",
    "entry": "record_entries",
    "export": "record_exports",
    "correction": "report_corrections",
    "replay": "bulk_replays",
    "staff": "staff_members",
    "batch": "card_batches",
    "sheet": "card_sheets",
    "invitation": "family_invitations",
    "certificate": "person_certificates",
    "confirmation": "code_confirmations",
    "device": "code_devices",
    "flag": "terminal_flags",
    "mapping": "code_mappings",
    "access": "emergency_accesses",
    "alarm": "emergency_alarms",
}
# These say themselves that something stays: a counted try, a message that is kept.
KEEPS = {refusal.code for refusal in list_refusals() if refusal.keeps_changes}
_REFUSALS = {refusal.code for refusal in list_refusals()}
# Refusals that say that something outside does not answer: here there is no outside.
_OUTSIDE = {refusal.code for refusal in list_refusals() if issubclass(refusal, Unavailable)} - {
    "core.database_unavailable"
}


@dataclass
class Scene:
    """Every role, signed in, and a little of everything.

    :ivar tokens: by role; ``nobody`` has none.
    :ivar permissions: what each role may do.
    :ivar ids: of what there is, by table.
    :ivar browsers: of staff, signed in by cookie.
    :ivar words: codes and numbers of what there is, by the name that a caller's parameter has.
    """

    city: City
    tokens: dict[str, str] = field(default_factory=dict)
    permissions: dict[str, frozenset[str]] = field(default_factory=dict)
    ids: dict[str, list[UUID]] = field(default_factory=lambda: defaultdict(list))
    words: dict[str, list[str]] = field(default_factory=dict)
    browsers: dict[str, Browser] = field(default_factory=dict)

    @property
    def connection(self) -> Connection:
        """The outer transaction in which all of it happens."""
        connection: Engine | Connection = db.orm.engine
        assert isinstance(connection, Connection)
        return connection

    def headers(self, role: str) -> dict[str, str]:
        return bearer(self.tokens[role]) if role in self.tokens else {}

    def post(self, role: str, path: str, body: dict[str, Any]) -> Any:
        """What the interface answers to what succeeds."""
        reply = self.city.client.post(f"/api/v1{path}", json=body, headers=self.headers(role))
        assert reply.status_code in {200, 201, 202}, reply.text
        return reply.get_json()

    def holders(self, permission: str | None) -> list[str]:
        """Who may ask for it; everybody, when nothing is demanded."""
        return [role for role, held in self.permissions.items() if permission is None or permission in held]

    def ids_for(self, name: str) -> list[str]:
        """Ids that fit a parameter of this name."""
        stem = name.removesuffix("_id")
        return [str(found) for found in self.ids.get(TABLE_OF.get(stem, f"{stem}s"), [])]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What happens inside is taken back: each request meets the same scene."""
        begin_savepoint(self.connection, "request")
        try:
            yield
        finally:
            db.orm.session.remove()
            send(self.connection, "ROLLBACK TO SAVEPOINT request")

    def count_effects(self) -> tuple[int, int]:
        """Acts and effects so far: whatever is written leaves a row here (house rules 2 and 4)."""
        counts = select(
            select(func.count()).select_from(AuditEntry).scalar_subquery(),
            select(func.count()).select_from(OutboxMessage).scalar_subquery(),
        )
        acts, effects = self.connection.execute(counts).one()
        return acts, effects


def open_scene(city: City) -> Scene:
    """A patient with records of two hospitals, a family, things that wait, and everybody who may ask."""
    scene, case, house = Scene(city), open_case(city), House(city)
    scene.tokens = {"patient": case.patient.token, "doctor": case.doctor.token}
    scene.tokens |= {"registrar": house.registrar.token, "machine": house.machine.token}
    scene.permissions = {"patient": PATIENT_PERMISSIONS, "nobody": frozenset()}
    scene.permissions["machine"] = frozenset().union(*(SCOPE_PERMISSIONS[scope] for scope in ALL_SCOPES))
    office = city.staff(case.treating, Role.MEDICAL_AFFAIRS)
    members = {Role.DOCTOR: case.doctor, Role.REGISTRAR: house.registrar, Role.MEDICAL_AFFAIRS: office}
    scene.tokens[Role.MEDICAL_AFFAIRS.value] = office.token
    for role in (Role.OPERATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR):
        members[role] = city.staff(None, role)
        scene.tokens[role.value] = members[role].token
    for role, member in members.items():
        scene.browsers[role.value] = Browser(city.app)
        scene.browsers[role.value].sign_in(member)
    scene.permissions |= {role.value: held for role, held in ROLE_PERMISSIONS.items() if role.value in scene.tokens}
    _fill(scene, house, case.patient)
    _open_in_emergency(scene, case.patient, case.treating, case.doctor)
    for table in Base.metadata.sorted_tables:
        if "id" in table.c and isinstance(table.c.id.type, Uuid):
            newest = select(table.c.id).order_by(table.c.id.desc()).limit(5)
            scene.ids[table.name] = list(scene.connection.scalars(newest))
    scene.words = {
        "number": [case.patient.card_number, f"MZ{case.patient.card_number[:8]}"],
        "code": ["LAB-GLU", "2345-7", city.code(case.patient), city.code(case.patient, "static")],
        "item": ["LAB-GLU"],
        "hospital_code": [house.hospital.code],
        "card_number": [case.patient.card_number],
        "patient_number": [f"MZ{case.patient.card_number[:8]}"],
        "terminal": [case.treating.terminal],
        "department": ["0300"],
        "medical_step": ["010101"],
        "certificate_type": ["01"],
        "certificate_number": [case.patient.certificate_number],
        "name": [case.patient.name],
        "act": ["report-lost", "restore", "cancel"],
    }
    return scene


def _fill(scene: Scene, house: House, patient: Patient) -> None:
    city = scene.city
    for entry in every_kind(named(patient.card_number))[:3]:
        assert call(city, house.machine.token, "POST", entry["resourceType"], entry).status_code == 201
    assert house.compose("fhir", "NOBODY")() == "records.person_not_matched"
    house.upload(write_upload(ROW | {"report_number": "R1"}))
    child = {
        "name": "张测试之女",
        "sex": "female",
        "birth_date": clock.in_city(clock.now()).date().isoformat(),
        "mother_certificate_number": patient.certificate_number,
    }
    document = {"certificate_type": "01", "certificate_number": patient.certificate_number, "is_document_seen": True}
    for role, path, body in (
        ("patient", "/family/newborns", child),
        ("patient", "/family/invitations", {"kind": "consent", "relation": "spouse"}),
        ("patient", "/exports", {}),
        ("operator", "/operator/release-rules", {"category": "laboratory", "mode": "at_once"}),
        ("registrar", "/desk/look-ups", document),
        ("operator", f"/operator/hospitals/{house.hospital.id}/branches", {"code": "E1", "name": "东院区"}),
    ):
        scene.post(role, path, body)


def _open_in_emergency(scene: Scene, patient: Patient, hospital: Hospital, doctor: Staff) -> None:
    """What a review found wrong is an alarm too; another waits."""
    body = {
        "certificate_type": "01",
        "certificate_number": patient.certificate_number,
        "reason": "unconscious",
        "text": "车祸送入,昏迷,须知既往过敏与用药",
        "terminal": hospital.terminal,
        "department": "2000",
        "password": doctor.password,
    }
    path, finding = "/emergency-accesses", {"finding": "beyond_need", "text": "查看范围超出抢救所需。"}
    opened = scene.post("doctor", path, body)
    scene.post(Role.MEDICAL_AFFAIRS.value, f"{path}/{opened['id']}/review", finding)
    scene.post("doctor", path, body)


@dataclass(frozen=True)
class Answer:
    """What came back, whoever sent the request."""

    status: int
    media_type: str
    body: bytes

    @classmethod
    def of(cls, reply: TestResponse) -> "Answer":
        return cls(reply.status_code, reply.mimetype or "", reply.get_data())

    @property
    def code(self) -> str:
        """Our code of a refusal; empty when it is none of ours."""
        try:
            told = json.loads(self.body)
            if self.media_type == "application/fhir+json":
                return str(told["issue"][0]["details"]["coding"][0]["code"])
            return str(told["code"])
        except (ValueError, LookupError, TypeError):
            return ""


def find_faults(answer: Answer) -> list[str]:
    """What no answer to any request may be."""
    if answer.status < 400:
        return []
    faults = []
    if answer.media_type in {"application/problem+json", "application/fhir+json"} and answer.code not in _REFUSALS:
        faults.append("a refusal that is none of ours")
    if answer.status >= 500 and answer.code not in _OUTSIDE:
        faults.append(f"it broke: {answer.code}")
    return faults


class Fuzz:
    """Asks, judges, takes back, and goes on after a fault, so that one run tells of all.

    ``FUZZ_EXAMPLES=300`` makes so many requests of each sort, anew each time; without it a few, always the same. A long
    run needs ``ARGS="-o faulthandler_timeout=0"``, or it is taken for one that hangs.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.faults: dict[str, str] = {}
        self.answers: Counter[tuple[str, int, str]] = Counter()

    @property
    def is_long(self) -> bool:
        """Somebody has time."""
        return "FUZZ_EXAMPLES" in os.environ

    @staticmethod
    def examples(few: int) -> settings:
        """How many, and from which seed."""
        many = os.environ.get("FUZZ_EXAMPLES")
        return settings(
            max_examples=int(many or few),
            derandomize=many is None,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )

    def ask(self, label: str, sent: object, send: Callable[[], Answer], *, is_allowed: bool = True) -> Answer:
        """Send one request, and note what is wrong with the answer or with what it leaves behind.

        :param sent: what tells somebody how to do it again.
        """
        with self.scene.undone():
            before = self.scene.count_effects()
            answer = send()
            after = self.scene.count_effects()
        self.answers[label, answer.status, answer.code] += 1
        faults = find_faults(answer)
        if answer.status < 400 and not is_allowed:
            faults.append("done for somebody who may not")
        if answer.status >= 400 and after != before and answer.code and not self._is_kept(answer):
            faults.append(f"{answer.code} left {after} instead of {before} acts and effects")
        for fault in faults:
            self.note(label, fault, sent, answer)
        return answer

    @staticmethod
    def _is_kept(answer: Answer) -> bool:
        """Whether the refusal says that something stays: by its code, or by the id of a message in quarantine."""
        return answer.code in KEEPS or systems.MESSAGE.encode() in answer.body

    def note(self, label: str, fault: str, sent: object, answer: Answer) -> None:
        """Each fault once, with the first request that met it."""
        self.faults.setdefault(f"{label} {answer.status} {fault[:300]}", f"{str(sent)[:900]} -> {answer.body[:300]!r}")

    def tell(self) -> None:
        """:raises AssertionError: there were faults."""
        print(*sorted(self.answers.items()), sep="\n")
        assert self.faults == {}, "\n\n".join(f"{fault}\n{told}" for fault, told in self.faults.items())
