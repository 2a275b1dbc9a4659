"""Hundreds of bad codes, each refused as it must be, on the network and without it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import db, keys
from core.actor import SYSTEM, Actor, ActorKind
from core.vault import vault
from health_card import service as health_card
from health_card.devices.models import CodeDevice
from health_card.models import Card, CardState, CodeRedemption
from health_card.offline import desk
from health_card.refusals import CodeRefused
from health_card.service.codes import KEY_PURPOSE
from tests.conftest import SteppingClock
from tests.support import bad_codes
from tests.support import code_vectors as vectors
from tests.support.city import City, Patient

DOCUMENT: dict[str, Any] = json.loads(bad_codes.FILE.read_text())
AT = datetime.fromtimestamp(vectors.NOW, UTC)
STATES = {
    vectors.LOST: CardState.LOST,
    vectors.CANCELLED: CardState.CANCELLED,
    vectors.BEING_MADE: CardState.BEING_MADE,
}


class World:
    """The cards, keys and phones of the vectors, and a desk and a till in front of them."""

    def __init__(self, city: City) -> None:
        hospital = city.hospital()
        self.desk = city.staff(hospital).actor
        self.till = Actor(ActorKind.MACHINE, SYSTEM.id, frozenset(), hospital_id=vectors.PAYEE)
        self.certificates: dict[str, str] = {}
        with db.transaction() as session:
            self.terminals = [
                accounts.enrol_terminal(session, SYSTEM, hospital_id=hospital.id, code=f"V{number}", kind="01")
                for number in range(2)
            ]
            for key in (vectors.CURRENT, vectors.RETIRED, vectors.OVER, vectors.KILLED):
                add_key(session, key)
        for number in (vectors.GOOD, vectors.OTHER, vectors.REPLACED, vectors.RAISED, *STATES):
            self._add_card(city.patient(), number)
        keys.forget_rings()

    def _add_card(self, patient: Patient, number: str) -> None:
        self.certificates[number] = patient.certificate_number
        values = {
            "number": number,
            "state": STATES.get(number, CardState.NORMAL).value,
            "epoch": vectors.RAISED_EPOCH if number == vectors.RAISED else vectors.EPOCH,
            "replaced_at": AT if number == vectors.REPLACED else None,
        }
        with db.transaction() as session:
            session.execute(update(Card).where(Card.id == patient.card_id).values(values))
            for phone in (vectors.PHONE, vectors.REVOKED_PHONE):
                session.add(
                    CodeDevice(
                        card_id=patient.card_id,
                        login_id=patient.actor.id,
                        public_key=phone.public,
                        certified_at=AT,
                        expires_at=AT + timedelta(hours=72),
                        revoked_at=AT if phone is vectors.REVOKED_PHONE else None,
                    )
                )

    def redeem(self, bad: dict[str, Any]) -> str | None:
        """The refusal's code, None when it was accepted."""
        try:
            with db.transaction() as session:
                self._redeem(session, bad, self.terminals[0])
        except CodeRefused as refused:
            return refused.code
        return None

    def redeem_before(self, bad: dict[str, Any]) -> None:
        """Another terminal was first."""
        with db.transaction() as session:
            self._redeem(session, bad, self.terminals[1])

    def _redeem(self, session: Session, bad: dict[str, Any], terminal_id: UUID) -> None:
        if bad.get("use") == "pay":
            health_card.redeem_payment_code(
                session, self.till, text=bad["text"], issuer=vectors.ISSUER, amount_fen=bad["amount_fen"]
            )
            return
        card = bad.get("certificate")
        health_card.redeem_code(
            session,
            self.desk,
            text=bad["text"],
            issuer=vectors.ISSUER,
            terminal_id=terminal_id,
            certificate_number=self.certificates.get(card, card) if card else None,
        )


def add_key(session: Session, key: vectors.Key) -> None:
    data_key, wrapped = vault().new_key()
    begun = AT - timedelta(days=1 if key is vectors.CURRENT else 90)
    session.add(
        keys.SigningKey(
            kid=key.kid,
            purpose=KEY_PURPOSE,
            public_key=key.public,
            data_key=wrapped,
            private_sealed=data_key.seal(key.seed.hex(), context="signing_keys.private"),
            created_at=begun,
            signs_at=begun,
            retired_at=None if key is vectors.CURRENT else AT - timedelta(days=1),
            expires_at=AT if key is vectors.OVER else None,
            killed_at=AT if key is vectors.KILLED else None,
        )
    )


@pytest.fixture
def world(city: City, stepping_clock: SteppingClock) -> World:
    stepping_clock.time = AT
    return World(city)


@pytest.fixture(scope="session")
def trust() -> desk.Trust:
    return desk.load_trust(DOCUMENT["key_set"], DOCUMENT["revocations"], vectors.NOW)


def count_redemptions() -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count(CodeRedemption.id))) or 0


def test_the_file_is_what_the_fixed_keys_make() -> None:
    assert bad_codes.FILE.read_text() == bad_codes.write(bad_codes.build())
    assert len({bad["name"] for bad in DOCUMENT["bad"]}) == len(DOCUMENT["bad"]) >= 300


def test_every_bad_code_is_refused_as_it_must_be_and_none_is_used_up(world: World) -> None:
    bad_ones = [bad for bad in DOCUMENT["bad"] if bad["online"] is not None]
    for bad in bad_ones:
        if bad.get("is_replay"):
            world.redeem_before(bad)
    used = count_redemptions()
    found = {bad["name"]: world.redeem(bad) for bad in bad_ones}
    assert found == {bad["name"]: bad["online"] for bad in bad_ones}
    assert count_redemptions() == used
    assert set(found.values()) >= {"health_card.code_wrong_class", "health_card.payment_differs"}


def test_the_good_ones_are_accepted(world: World) -> None:
    """Otherwise the refusals above would prove nothing."""
    found = {good["name"]: world.redeem(good | {"certificate": vectors.GOOD}) for good in DOCUMENT["good"]}
    assert found == {good["name"]: None for good in DOCUMENT["good"]}
    pays = {"text": vectors.code("pays", kind=b"P"), "use": "pay", "amount_fen": vectors.AMOUNT_FEN}
    assert world.redeem(pays) is None
    assert world.redeem({"text": vectors.code("confirmed", kind=b"C")}) is None


def test_a_desk_without_the_network_reads_the_good_ones(trust: desk.Trust) -> None:
    for good in DOCUMENT["good"]:
        reading = desk.read_code(trust, good["text"], vectors.NOW)
        assert (reading.kind, reading.card_number) == (good["kind"], good["card_number"]), good["name"]


def test_a_desk_without_the_network_refuses_the_bad_ones(trust: desk.Trust) -> None:
    def read(text: str) -> str | None:
        try:
            desk.read_code(trust, text, vectors.NOW)
        except desk.Refused as refused:
            return refused.code
        return None

    bad_ones = [bad for bad in DOCUMENT["bad"] if bad["offline"] is not None and not bad.get("is_replay")]
    assert {bad["name"]: read(bad["text"]) for bad in bad_ones} == {bad["name"]: bad["offline"] for bad in bad_ones}
    assert len(bad_ones) > 250


@pytest.mark.parametrize("stale", DOCUMENT["stale_trusts"], ids=lambda stale: stale["name"])
def test_what_is_stale_or_not_genuine_is_not_trusted(stale: dict[str, Any]) -> None:
    with pytest.raises(desk.TrustStale):
        desk.load_trust(stale["key_set"], stale["revocations"], vectors.NOW)


def test_the_vectors_hold_no_key_that_signs_anywhere() -> None:
    """Their keys are hashes of words; nobody may take them for secrets."""
    assert vectors.CURRENT.seed == hashlib.sha256(b"seed current").digest()
    assert isinstance(cast(object, vectors.CURRENT.private), Ed25519PrivateKey)
