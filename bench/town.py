"""A town to measure in: persons with cards, hospitals with desks, made by the product's own services."""

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.orm import Session

from accounts import service as accounts
from accounts.models import Role
from accounts.wechat import WechatIdentity
from core import clock, db, keys
from core.actor import SYSTEM, Actor
from core.config import Config
from health_card import codes
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate, check_character

HOSPITALS, DESKS_PER_HOSPITAL = 4, 3
_PERSONS_PER_COMMIT = 100
_SURNAMES, _GIVEN = "王李张刘陈杨黄赵吴周", ["测试", "小测", "测", "试试"]
_CODE_PURPOSE = "code"


@dataclass(frozen=True)
class Desk:
    """Where codes are scanned: a terminal and the session of somebody who works there."""

    token: str
    terminal: str


@dataclass(frozen=True)
class Town:
    """Who and what is there. ``card_numbers``: all in force, none of whose codes was ended."""

    issuer: str
    card_numbers: list[str]
    desks: list[Desk]
    signer: codes.Signer
    verifying_keys: dict[str, Ed25519PublicKey]

    def show_code(self, card_number: str) -> str:
        """A fresh dynamic code, as the phone would show it."""
        return codes.write_dynamic(
            self.signer, card_number=card_number, epoch=0, issuer=self.issuer, issued_at=clock.now()
        )


def make_town(config: Config, *, persons: int, seed: int) -> Town:
    """Fill an empty database. Needs an app context, and commits.

    :param persons: each with a login, a card and a certificate number of nobody.
    """
    chance = random.Random(seed)
    with db.transaction() as session:
        desks = [desk for number in range(HOSPITALS) for desk in _open_hospital(session, number)]
        ring = keys.ring(session, _CODE_PURPOSE)
    card_numbers: list[str] = []
    while len(card_numbers) < persons:
        with db.transaction() as session:
            for _ in range(min(_PERSONS_PER_COMMIT, persons - len(card_numbers))):
                card_numbers.append(_register(session, config, chance, len(card_numbers)))
    signer = codes.Signer(ring.signing_kid, ring.signing_key)
    return Town(config.issuer_code, card_numbers, desks, signer, dict(ring.verifying_keys))


def _open_hospital(session: Session, number: int) -> Iterator[Desk]:
    code = f"B{secrets.token_hex(6).upper()}"
    hospital_id = accounts.register_hospital(session, SYSTEM, code=code, name=f"第{number + 1}测试医院", level=3)
    for desk in range(DESKS_PER_HOSPITAL):
        terminal, username, password = f"W{desk:02d}", f"b{secrets.token_hex(6)}", secrets.token_urlsafe(12)
        accounts.enrol_terminal(session, SYSTEM, hospital_id=hospital_id, code=terminal, kind="01")
        accounts.hire_staff(
            session,
            SYSTEM,
            hospital_id=hospital_id,
            username=username,
            name="测试登记员",
            role=Role.REGISTRAR,
            password=password,
        )
        yield Desk(accounts.sign_in_staff(session, username=username, password=password).token, terminal)


def register_reader(session: Session, config: Config, chance: random.Random, number: int) -> tuple[Actor, UUID]:
    """A person with a card and a phone that is signed in: who asks, and the person's id."""
    actor, registered = _sign_up(session, config, chance, number)
    return actor, registered.person_id


def register_owner(session: Session, config: Config, chance: random.Random, number: int) -> tuple[Actor, str, UUID]:
    """As ``register_reader``, and the card's number: what a hospital knows the person by."""
    actor, registered = _sign_up(session, config, chance, number)
    return actor, registered.card.number, registered.person_id


def _register(session: Session, config: Config, chance: random.Random, number: int) -> str:
    return _sign_up(session, config, chance, number)[1].card.number


def _sign_up(
    session: Session, config: Config, chance: random.Random, number: int
) -> tuple[Actor, health_card.Registration]:
    identity = WechatIdentity(config.wechat_app_id, f"o{secrets.token_urlsafe(20)}", None)
    token = accounts.sign_in_login(session, identity, issuer=config.base_url).access.text
    actor = accounts.identify_bearer(session, token, issuer=config.base_url)
    details = health_card.Details(
        name=invent_name(chance),
        phone=f"1700000{chance.randrange(10**4):04d}",
        certificate=check_certificate(CertificateType.RESIDENT_ID, invent_number(chance, number)),
    )
    return actor, health_card.register_person(session, actor, details=details)


def invent_name(chance: random.Random) -> str:
    """A name that says it is none."""
    return chance.choice(_SURNAMES) + chance.choice(_GIVEN)


def invent_number(chance: random.Random, number: int) -> str:
    """Of an adult's certificate, of an area that was never assigned; ``number`` makes it unlike every other."""
    born = date(1930, 1, 1) + timedelta(days=chance.randrange(28_000))
    first_17 = f"99{number // 1000 % 10_000:04d}{born:%Y%m%d}{number % 1000:03d}"
    return first_17 + check_character(first_17)
