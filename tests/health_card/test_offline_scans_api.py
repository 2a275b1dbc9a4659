"""A desk without the network: what it verifies with, what it writes down, and what becomes of that afterwards."""

import ast
import hashlib
import json
import secrets
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from core import clock, db, keys
from health_card.models import Card, CardState, CodeRedemption
from health_card.notices.models import Notice
from health_card.offline import desk as offline
from health_card.offline.models import OfflineScan
from health_card.service.codes import KEY_PURPOSE
from tests.conftest import SteppingClock
from tests.support.city import City, Hospital, Patient, Staff, bearer
from tests.support.code_vectors import encode

PATH = "/api/v1/desk/offline-scans"


def unix_now() -> int:
    return int(clock.now().timestamp())


@dataclass
class Desk:
    """A desk with its own key, whose network comes and goes."""

    city: City
    folder: Path
    key: offline.TerminalKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        self.hospital: Hospital = self.city.hospital()
        self.staff: Staff = self.city.staff(self.hospital)
        self.path = self.folder / f"{secrets.token_hex(4)}.jsonl"
        self.queue = self.reopen()

    def reopen(self) -> offline.Queue:
        return offline.Queue(self.path, self.hospital.terminal, self.key)

    def trust(self) -> offline.Trust:
        """What is published now."""
        key_set = self.city.client.get(offline.KEYS_PATH)
        revocations = self.city.client.get(offline.REVOCATIONS_PATH)
        return offline.load_trust(json.loads(key_set.text), revocations.text, unix_now())

    def accept(self, code: str) -> offline.Reading:
        return self.queue.accept(self.trust(), code, unix_now())

    def jwk(self) -> dict[str, Any]:
        public = self.key.public_key()
        algorithm = OKPAlgorithm if isinstance(self.key, Ed25519PrivateKey) else ECAlgorithm
        return dict(json.loads(algorithm.to_jwk(public)))  # type: ignore[arg-type]

    def submit(self, entries: list[dict[str, Any]] | None = None, **changes: Any) -> TestResponse:
        sent = self.queue.entries if entries is None else entries
        body = {"terminal": self.hospital.terminal, "key": self.jwk(), "entries": sent}
        return self.city.client.post(PATH, json=body | changes, headers=bearer(self.staff.token))

    def outcomes(self) -> list[str]:
        reply = self.submit()
        assert reply.status_code == 200, reply.text
        return [result["outcome"] for result in reply.json["results"]]

    def check_refused(self, reply: TestResponse, status: int, code: str) -> None:
        assert (reply.status_code, reply.json["code"]) == (status, code)
        with db.transaction() as session:
            assert session.scalars(select(OfflineScan).where(OfflineScan.submitted_by == self.staff.id)).all() == []


@pytest.fixture
def desk(city: City, tmp_path: Path, stepping_clock: SteppingClock) -> Desk:
    stepping_clock.time = stepping_clock.time.replace(microsecond=0)
    return Desk(city, tmp_path)


def change_card(patient: Patient, **values: object) -> None:
    with db.transaction() as session:
        session.execute(update(Card).where(Card.id == patient.card_id).values(**values))


# What is published


def test_the_key_set_is_a_jwk_set_that_caches_keep_for_half_a_minute(city: City) -> None:
    reply = city.client.get(offline.KEYS_PATH)
    assert (reply.status_code, reply.mimetype) == (200, "application/jwk-set+json")
    assert reply.headers["Cache-Control"] == "public, max-age=30"
    (key,) = reply.json["keys"]
    assert {name: key[name] for name in ("kty", "crv", "use", "alg")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
    }
    assert reply.json["issuer"] == city.config.issuer_code
    again = city.client.get(offline.KEYS_PATH, headers={"If-None-Match": reply.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_killed_key_is_published_no_more_and_the_next_one_before_it_signs(desk: Desk) -> None:
    code = desk.city.code(desk.city.patient())
    with db.transaction() as session:
        killed = keys.ring(session, KEY_PURPOSE).signing_kid
        waiting = keys.rotate_ring(session, desk.staff.actor, KEY_PURPOSE)
    assert set(desk.trust().keys) == {killed, waiting}
    with db.transaction() as session:
        keys.kill_key(session, killed)
    keys.forget_rings()
    assert killed not in desk.trust().keys
    with pytest.raises(offline.Refused, match="code_forged"):
        desk.accept(code)


def test_the_list_names_dead_cards_and_raised_epochs_and_no_others(desk: Desk) -> None:
    city = desk.city
    good, lost, replaced, raised, long_ago = (city.patient() for _ in range(5))
    codes = {patient.card_id: city.code(patient) for patient in (good, lost, replaced, raised, long_ago)}
    change_card(lost, state=CardState.LOST.value)
    change_card(replaced, replaced_at=clock.now())
    city.client.post(f"/api/v1/cards/{raised.card_id}/codes/revoke", headers=bearer(raised.token))
    change_card(long_ago, epoch=1, epoch_raised_at=clock.now() - timedelta(hours=74))
    trust = desk.trust()
    short = {p.card_id: hashlib.sha256(p.card_number.encode()).digest()[:8] for p in (good, lost, replaced, raised)}
    assert {short[lost.card_id], short[replaced.card_id]} <= trust.dead
    assert trust.raised == {short[raised.card_id]: 1}
    assert short[good.card_id] not in trust.dead
    for patient in (lost, replaced, raised):
        with pytest.raises(offline.Refused, match="code_revoked"):
            offline.read_code(trust, codes[patient.card_id], unix_now())
    assert offline.read_code(trust, codes[good.card_id], unix_now()).card_number == good.card_number


def test_the_database_itself_notes_when_a_card_changed(city: City) -> None:
    """No service can forget it."""
    patient = city.patient()

    def noted() -> tuple[bool, bool]:
        with db.transaction() as session:
            card = session.get_one(Card, patient.card_id)
            return card.epoch_raised_at is not None, card.state_changed_at is not None

    change_card(patient, channel=2)
    assert noted() == (False, False)
    change_card(patient, epoch=1)
    assert noted() == (True, False)
    change_card(patient, state=CardState.LOST.value)
    assert noted() == (True, True)


def test_an_unchanged_list_is_not_sent_again(desk: Desk, stepping_clock: SteppingClock) -> None:
    stepping_clock.time = stepping_clock.time.replace(minute=10)
    first = desk.city.client.get(offline.REVOCATIONS_PATH)
    stepping_clock.forward(minutes=40)
    same = desk.city.client.get(offline.REVOCATIONS_PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    change_card(desk.city.patient(), state=CardState.LOST.value)
    changed = desk.city.client.get(offline.REVOCATIONS_PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.mimetype) == (200, "application/jose")


def test_the_list_asks_its_indexes(city: City) -> None:
    """With millions of cards alive, only the dead ones may be read."""
    with db.transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        dead = "SELECT number FROM cards WHERE (state IN (2, 3) OR replaced_at IS NOT NULL)"
        plan = "\n".join(session.scalars(text(f"EXPLAIN {dead}")))
    assert "ix_cards_dead" in plan


def test_what_was_brought_a_day_ago_is_not_trusted_any_more(desk: Desk, stepping_clock: SteppingClock) -> None:
    trust = desk.trust()
    with pytest.raises(offline.TrustStale):
        offline.read_code(trust, desk.city.code(desk.city.patient()), unix_now() + 24 * 3600)


# What the desk writes down


def test_a_desk_accepts_a_code_once(desk: Desk) -> None:
    code = desk.city.code(desk.city.patient())
    assert desk.accept(code).kind == "D"
    for queue in (desk.queue, desk.reopen()):
        with pytest.raises(offline.Refused, match="code_redeemed"):
            queue.accept(desk.trust(), code, unix_now())
    assert len(desk.reopen().entries) == 1


@pytest.mark.parametrize("harm", ["dropped", "changed", "exchanged", "of another key", "no JSON"])
def test_a_queue_that_was_touched_is_broken(desk: Desk, harm: str) -> None:
    patient = desk.city.patient()
    for _ in range(3):
        desk.accept(desk.city.code(patient))
    lines = desk.path.read_text().splitlines()
    harmed = {
        "dropped": [lines[0], lines[2]],
        "changed": [lines[0], lines[1].replace(":0:", ":1:"), lines[2]],
        "exchanged": [lines[1], lines[0], lines[2]],
        "no JSON": [lines[0], lines[1][:40], lines[2]],
    }.get(harm, lines)
    desk.path.write_text("\n".join(harmed))
    if harm == "of another key":
        desk.key = Ed25519PrivateKey.generate()
    with pytest.raises(offline.QueueBroken):
        desk.reopen()


def test_the_module_stands_alone() -> None:
    """A hospital copies the one file: it needs the standard library and cryptography, and nothing of ours."""
    module = ast.parse(Path(offline.__file__).read_text())
    named = {alias.name for node in ast.walk(module) if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}
    roots = {name.split(".")[0] for name in named}
    assert roots - set(sys.stdlib_module_names) == {"cryptography"}


# What becomes of it


@pytest.mark.parametrize("kind", ["EdDSA", "ES256"])
def test_what_was_accepted_is_used_up_when_it_is_handed_in(city: City, tmp_path: Path, kind: str) -> None:
    desk = Desk(city, tmp_path, Ed25519PrivateKey.generate() if kind == "EdDSA" else generate_private_key(SECP256R1()))
    patient = city.patient()
    code = city.code(patient)
    desk.accept(code)
    desk.accept(city.code(patient, "static"))
    first = desk.submit()
    assert first.json == {
        "results": [{"sequence": 1, "outcome": "accepted"}, {"sequence": 2, "outcome": "accepted"}],
        "next_sequence": 3,
    }
    assert city.scan(desk.staff, code, desk.hospital, terminal=desk.hospital.terminal).status_code == 201
    other = city.hospital()
    assert city.scan(city.staff(other), code, other).json["code"] == "health_card.code_redeemed"
    desk.queue.forget_before(first.json["next_sequence"])
    desk.queue = desk.reopen()
    desk.accept(city.code(patient))
    assert desk.submit().json["next_sequence"] == 4


def test_handed_in_again_it_gets_the_same_answer_and_nothing_happens(desk: Desk) -> None:
    desk.accept(desk.city.code(desk.city.patient()))
    first, again = desk.submit(), desk.submit()
    assert first.json == again.json
    with db.transaction() as session:
        kept = session.scalars(select(OfflineScan).where(OfflineScan.submitted_by == desk.staff.id)).all()
        used = session.scalars(select(CodeRedemption).where(CodeRedemption.card_id == kept[0].card_id)).all()
    assert (len(kept), len(used)) == (1, 1)


def test_a_code_used_at_two_desks_is_flagged_and_the_patient_told(desk: Desk, tmp_path: Path) -> None:
    patient, other = desk.city.patient(), Desk(desk.city, tmp_path)
    code = desk.city.code(patient)
    desk.accept(code)
    other.accept(code)
    assert (desk.outcomes(), other.outcomes()) == (["accepted"], ["double_used"])
    with db.transaction() as session:
        told = session.scalars(select(Notice.person_id).filter_by(kind="code_double_used")).all()
    assert told == [patient.person_id]


def test_codes_ended_before_the_scan_are_flagged_and_those_after_it_are_not(
    desk: Desk, stepping_clock: SteppingClock
) -> None:
    before, after, lost, twice = (desk.city.patient() for _ in range(4))
    trust, now = desk.trust(), clock.now()
    for patient in (before, after, lost, twice):
        desk.queue.accept(trust, desk.city.code(patient), unix_now())
    change_card(before, epoch=1, epoch_raised_at=now - timedelta(seconds=1))
    change_card(after, epoch=1, epoch_raised_at=now + timedelta(seconds=1))
    change_card(lost, state=CardState.LOST.value, state_changed_at=now - timedelta(seconds=1))
    change_card(twice, epoch=2, epoch_raised_at=now + timedelta(seconds=1))
    stepping_clock.forward(minutes=20)
    assert desk.outcomes() == ["revoked", "accepted", "revoked", "revoked"]


def test_what_a_desk_should_not_have_accepted_is_flagged(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    patient, nobody = desk.city.patient(), secrets.token_hex(32).upper()
    genuine, confirmed = desk.city.code(patient), make_confirmed(desk.city, patient)
    monkeypatch.setattr(offline, "read_code", lambda *_: offline.Reading("S", ""))
    now = unix_now()
    for code, at in (
        (genuine.replace(genuine[70:90], genuine[90:110]), now),
        (f"{nobody}:1", now),
        (confirmed, now),
        (genuine, now - 3600),
        (genuine, now + 3600),
    ):
        desk.queue.accept(desk.trust(), code, at)
    assert desk.outcomes() == ["not_genuine", "unknown", "wrong_class", "expired", "clock_wrong"]


def make_confirmed(city: City, patient: Patient) -> str:
    headers = bearer(patient.token)
    city.client.put("/api/v1/code-pin", json={"pin": "483920"}, headers=headers)
    body = {"kind": "confirmed", "pin": "483920"}
    return str(city.client.post(f"/api/v1/cards/{patient.card_id}/codes", json=body, headers=headers).json["text"])


def test_a_gap_a_change_and_a_foreign_signature_are_refused(desk: Desk) -> None:
    patient = desk.city.patient()
    for _ in range(3):
        desk.accept(desk.city.code(patient))
    first, second, third = desk.queue.entries
    gap = desk.submit([first, third])
    desk.check_refused(gap, 409, "health_card.offline_chain_broken")
    assert (gap.json["sequence"], gap.json["expected_sequence"]) == (3, 2)
    desk.check_refused(desk.submit([second, third]), 409, "health_card.offline_chain_broken")
    forged = first | {"signature": encode(secrets.token_bytes(64))}
    desk.check_refused(desk.submit([forged]), 422, "health_card.offline_signature_wrong")
    desk.check_refused(desk.submit([first | {"scanned_at": 5}]), 422, "health_card.offline_signature_wrong")
    assert desk.submit([first]).status_code == 200
    changed = desk.submit([first | {"scanned_at": first["scanned_at"] - 1}])
    assert (changed.status_code, changed.json["code"]) == (409, "health_card.offline_chain_broken")


def test_only_the_terminals_own_hospital_and_a_public_key_hand_in(desk: Desk, tmp_path: Path) -> None:
    desk.accept(desk.city.code(desk.city.patient()))
    desk.check_refused(desk.submit(terminal="W99"), 422, "accounts.terminal_unknown")
    for key in ({}, {"kty": "oct", "k": "AAAA"}, desk.jwk() | {"d": "AAAA"}, desk.jwk() | {"x": "AA"}, {"kty": "RSA"}):
        desk.check_refused(desk.submit(key=key), 422, "health_card.offline_key_invalid")
    patient = desk.city.client.post(PATH, json={}, headers=bearer(desk.city.patient().token))
    assert (patient.status_code, patient.json["code"]) == (403, "core.permission_missing")


def test_what_was_handed_in_cannot_be_changed(desk: Desk) -> None:
    desk.accept(desk.city.code(desk.city.patient()))
    desk.outcomes()
    with pytest.raises(IntegrityError, match="append-only"):
        with db.transaction() as session:
            session.execute(update(OfflineScan).values(outcome="unknown"))
