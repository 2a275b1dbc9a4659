"""A phone's key is certified for a card, listed and revoked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from health_card import codes
from health_card.confirmation.service.pins import check_pin
from health_card.devices.models import CodeDevice
from health_card.devices.refusals import DeviceKeySpent, DeviceNotFound
from health_card.models import CardState
from health_card.refusals import CardNotInForce
from health_card.service.cards import get_held_card
from health_card.service.codes import signer

LONGEST_LIFE = timedelta(hours=72)


@dataclass(frozen=True)
class CertifiedDevice:
    """What the phone needs to make codes: the layout is in ``health_card/codes.py``."""

    device_id: UUID
    card_number: str
    issuer: str
    certificate: bytes
    expires_at: datetime


def certify_device(
    session: Session, actor: Actor, *, card_id: UUID, public_key: bytes, pin: str, issuer: str
) -> CertifiedDevice:
    """Let a phone make D codes for this card without the network, for 72 hours; asked again, the time begins anew.

    :param public_key: Ed25519, 32 bytes; the private half never leaves the phone.
    :raises CardNotFound: not a card of this login.
    :raises CardNotInForce: the card is lost, cancelled or not issued.
    :raises PinNotSet, PinLocked, PinWrong: see ``confirmation.check_pin``.
    :raises DeviceKeySpent: this key was revoked, or is another login's.
    """
    card = get_held_card(session, actor, card_id)
    if card.state != CardState.NORMAL:
        raise CardNotInForce
    check_pin(session, actor, pin=pin)
    now = clock.now().replace(microsecond=0)
    expires_at = now + LONGEST_LIFE
    statement = insert(CodeDevice).values(
        id=new_id(),
        card_id=card.id,
        login_id=actor.id,
        public_key=public_key,
        certified_at=now,
        expires_at=expires_at,
    )
    device_id = session.scalar(
        statement.on_conflict_do_update(
            index_elements=["card_id", "public_key"],
            set_={"certified_at": now, "expires_at": expires_at},
            where=(CodeDevice.login_id == actor.id) & CodeDevice.revoked_at.is_(None),
        ).returning(CodeDevice.id)
    )
    if device_id is None:
        raise DeviceKeySpent
    audit.record_act(
        session, actor, "health_card.device.certified", subject_id=card.person_id, of=("device", device_id)
    )
    certificate = codes.write_certificate(
        signer(session),
        card_number=card.number,
        epoch=card.epoch,
        issuer=issuer,
        public_key=public_key,
        certified_at=now,
        expires_at=expires_at,
    )
    return CertifiedDevice(device_id, card.number, issuer, certificate, expires_at)


def list_devices(session: Session, actor: Actor, *, card_id: UUID) -> list[CodeDevice]:
    """The devices that make codes for the card now, newest first.

    :raises CardNotFound: not a card of this login.
    """
    card = get_held_card(session, actor, card_id)
    alive = (
        select(CodeDevice)
        .filter_by(card_id=card.id)
        .where(CodeDevice.revoked_at.is_(None), CodeDevice.expires_at > clock.now())
    )
    return list(session.scalars(alive.order_by(CodeDevice.certified_at.desc(), CodeDevice.id)))


def revoke_device(session: Session, actor: Actor, *, card_id: UUID, device_id: UUID) -> None:
    """End one device: what it makes is refused from the next scan on. Again, it changes nothing.

    A desk without the network cannot know of it; raising the card's epoch (``revoke_codes``) reaches it too.

    :raises CardNotFound: not a card of this login.
    :raises DeviceNotFound: no such device of this card.
    """
    card = get_held_card(session, actor, card_id)
    device = session.scalars(
        select(CodeDevice).filter_by(id=device_id, card_id=card.id).with_for_update()
    ).one_or_none()
    if device is None:
        raise DeviceNotFound
    if device.revoked_at is None:
        device.revoked_at = clock.now()
        audit.record_act(
            session, actor, "health_card.device.revoked", subject_id=card.person_id, of=("device", device.id)
        )
