"""A desk reads a code: is it genuine, is it still good, and whose is it."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock, keys, limits
from core.actor import Actor
from core.errors import RateExceeded
from core.ids import new_id
from health_card import codes
from health_card.certificates import CertificateType, check_certificate
from health_card.models import Card, CardState, CertificateState, CodeRedemption, PersonCertificate
from health_card.refusals import (
    CertificateInvalid,
    CodeExpired,
    CodeForged,
    CodeRedeemed,
    CodeRefused,
    CodeRevoked,
    SecondFactorMissing,
    SecondFactorWrong,
    TerminalLocked,
)
from health_card.service.alarms import raise_replay_alarm
from health_card.service.cards import DYNAMIC_LIFE, KEY_PURPOSE
from health_card.service.identities import certificate_index, same_person_ids

FAILURES_PER_MINUTE = 20
CLOCK_SKEW = timedelta(seconds=30)
REREAD = timedelta(seconds=10)


@dataclass(frozen=True)
class Identified:
    """Whose code it was. ``kind``: D opens records, S only starts a registration.

    :ivar redemption_id: of a dynamic code; the same one again when the same terminal re-reads within 10 s.
    """

    person_id: UUID
    card_id: UUID
    kind: str
    redemption_id: UUID | None


@contextmanager
def counting_failures(subject: str) -> Iterator[None]:
    """Wrap a scan: more than 20 refused codes within a minute lock the terminal.

    :param subject: hospital and terminal, as one text.
    :raises TerminalLocked: it is locked now.
    """
    try:
        with limits.counting_failures("refused_codes", subject, CodeRefused, per_minute=FAILURES_PER_MINUTE):
            yield
    except RateExceeded as reached:
        raise TerminalLocked(int(reached.headers["Retry-After"])) from None


def redeem_code(
    session: Session, actor: Actor, *, text: str, issuer: str, terminal_id: UUID, certificate_number: str | None = None
) -> Identified:
    """Accept a code once.

    :param certificate_number: as read from the patient's document; needed with a static code.
    :raises CodeMalformed: not a code.
    :raises CodeForged: not genuine.
    :raises CodeExpired: dynamic and older than 60 seconds.
    :raises CodeRevoked: the card is not in force, or the code is of an earlier epoch.
    :raises CodeRedeemed: used before. When that was at another terminal, the person is told.
    :raises SecondFactorMissing: a static code alone.
    :raises SecondFactorWrong: a static code with another person's certificate number.
    """
    read = codes.read_code(text, keys.ring(session, KEY_PURPOSE).verifying_keys, issuer)
    card = session.scalars(select(Card).filter_by(number=read.card_number)).one_or_none()
    if card is None:
        raise CodeForged
    if read.kind == "S":
        redemption_id = None
        _check_second_factor(session, card, certificate_number)
        _check_in_force(card)
    else:
        _check_age(read)
        _check_in_force(card, read.epoch)
        redemption_id = _redeem(session, actor, read, card, terminal_id)
    audit.record_act(
        session,
        actor,
        "health_card.code.scanned",
        subject_id=card.person_id,
        of=("card", card.id),
        facts={"kind": read.kind},
    )
    return Identified(card.person_id, card.id, read.kind, redemption_id)


def _check_age(read: codes.ReadCode) -> None:
    assert read.issued_at is not None
    now = clock.now()
    if not read.issued_at - CLOCK_SKEW <= now <= read.issued_at + DYNAMIC_LIFE:
        raise CodeExpired


def _check_in_force(card: Card, epoch: int | None = None) -> None:
    if card.state != CardState.NORMAL or card.replaced_at is not None or epoch not in {None, card.epoch}:
        raise CodeRevoked


def _check_second_factor(session: Session, card: Card, certificate_number: str | None) -> None:
    if not certificate_number:
        raise SecondFactorMissing
    for certificate in _current_certificates(session, card):
        try:
            offered = certificate_index(check_certificate(CertificateType(certificate.type), certificate_number))
        except CertificateInvalid:
            continue
        if hmac.compare_digest(offered, certificate.number_index):
            return
    raise SecondFactorWrong


def _current_certificates(session: Session, card: Card) -> list[PersonCertificate]:
    mine = PersonCertificate.person_id.in_(same_person_ids(card.person_id))
    current = PersonCertificate.state == CertificateState.CURRENT
    return list(session.scalars(select(PersonCertificate).where(mine, current)))


def _redeem(session: Session, actor: Actor, read: codes.ReadCode, card: Card, terminal_id: UUID) -> UUID:
    """The unique nonce decides between scans at the same moment; the loser waits, then sees the winner."""
    now = clock.now()
    redeemed = session.scalar(
        insert(CodeRedemption)
        .values(id=new_id(), nonce=read.nonce, card_id=card.id, terminal_id=terminal_id, redeemed_at=now)
        .on_conflict_do_nothing(index_elements=["nonce"])
        .returning(CodeRedemption.id)
    )
    if redeemed is not None:
        return redeemed
    earlier = session.scalars(select(CodeRedemption).filter_by(nonce=read.nonce)).one()
    if earlier.terminal_id == terminal_id and now - earlier.redeemed_at <= REREAD:
        return earlier.id
    if earlier.terminal_id != terminal_id:
        raise_replay_alarm(session, actor, person_id=card.person_id, earlier=earlier, terminal_id=terminal_id)
    raise CodeRedeemed
