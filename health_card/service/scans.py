"""A desk reads a code: is it genuine, is it still good, and whose is it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock, keys, limits, statements
from core.actor import Actor, ActorKind
from core.errors import RateExceeded
from core.ids import new_id
from health_card import codes
from health_card.codes import Power
from health_card.confirmation.service.uses import note_confirmed_code
from health_card.devices.models import CodeDevice
from health_card.models import Card, CardState, CodeRedemption, Holder
from health_card.refusals import (
    CodeExpired,
    CodeForged,
    CodeRedeemed,
    CodeRefused,
    CodeRevoked,
    CodeWrongClass,
    PaymentDiffers,
    TerminalLocked,
)
from health_card.service.alarms import raise_replay_alarm
from health_card.service.codes import DYNAMIC_LIFE, KEY_PURPOSE
from health_card.service.identities import same_person_ids
from health_card.service.persons import is_holding
from health_card.service.second_factor import check_second_factor

FAILURES_PER_MINUTE = 20
CLOCK_SKEW = timedelta(seconds=30)
REREAD = timedelta(seconds=10)

# What nearly every scan does, hence by hand. The unique nonce decides as in ``find_or_redeem``.
_REDEEM = """
WITH card AS (SELECT id, person_id, state, replaced_at, epoch FROM cards WHERE number = %(number)s),
redeemed AS (
    INSERT INTO code_redemptions (id, nonce, card_id, terminal_id, redeemed_at)
    SELECT %(id)s, %(nonce)s, card.id, %(terminal_id)s, %(now)s FROM card
    ON CONFLICT (nonce) DO NOTHING
    RETURNING card_id
)
SELECT card.*, pg_advisory_xact_lock(hashtextextended('scans/' || card.person_id, 0))
FROM card JOIN redeemed ON redeemed.card_id = card.id
"""
_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('scans/' || %(person_id)s::uuid, 0))"


@dataclass(frozen=True)
class Identified:
    """Whose code it was. ``kind``: its class, S, D, C or P (see ``codes.POWERS``).

    :ivar redemption_id: of a signed code; the same one again when the same terminal re-reads within 10 s.
    :ivar is_reread: it did.
    """

    person_id: UUID
    card_id: UUID
    kind: str
    redemption_id: UUID | None
    is_reread: bool = False

    @property
    def shares_records(self) -> bool:
        """Whether this code lets the hospital see records for the visit; a static one only registers."""
        return Power.SHARE_RECORDS in codes.POWERS[self.kind]


@contextmanager
def counting_failures(subject: str, *, lock: Callable[[int], None] | None = None) -> Iterator[None]:
    """Wrap a scan: 20 refused codes within a minute lock who scans.

    :param subject: who, as one text: hospital and terminal, or hospital and system.
    :param lock: how a terminal is locked for so many seconds (``accounts.lock_terminal``): then whoever wraps this
        looks for the lock himself (``accounts.check_terminal``). Without it Redis keeps the lock and is asked.
    :raises TerminalLocked: it is locked now.
    """
    limiting = partial(limits.locking_after_failures, lock=lock) if lock else limits.counting_failures
    try:
        with limiting("refused_codes", subject, CodeRefused, per_minute=FAILURES_PER_MINUTE):
            yield
    except RateExceeded as reached:
        raise TerminalLocked(reached.retry_after_seconds) from None


def redeem_code(
    session: Session, actor: Actor, *, text: str, issuer: str, terminal_id: UUID, certificate_number: str | None = None
) -> Identified:
    """Accept a code once. Of two scans of one person at the same moment, the second waits for the first to commit.

    :param certificate_number: as read from the patient's document; needed with a static code.
    :raises CodeMalformed: not a code.
    :raises CodeForged: not genuine.
    :raises CodeWrongClass: a payment code.
    :raises CodeExpired: signed and older than 60 seconds.
    :raises CodeRevoked: the card is not in force, the code is of an earlier epoch, or its device was revoked.
    :raises CodeRedeemed: used before. When that was at another terminal, the person is told.
    :raises SecondFactorMissing: a static code alone.
    :raises SecondFactorWrong: a static code with another person's certificate number.
    """
    read = read_genuine(session, text, issuer)
    if not read.can(Power.REGISTER):
        raise CodeWrongClass
    found = _redeem_at_once(session, read, terminal_id)
    if found is None:
        card = find_card(session, read)
        if read.nonce is None:
            check_second_factor(session, card.person_id, certificate_number)
            _check_in_force(card.state, card.replaced_at)
            found = Identified(card.person_id, card.id, read.kind, None)
        else:
            found = _redeem_signed(session, actor, read, card, terminal_id)
        take_turn(session, found.person_id)
    return _record_scan(session, actor, read, found)


def take_turn(session: Session, person_id: UUID) -> None:
    """Of two scans of one person's record at the same moment, the second waits here until the first has committed."""
    statements.run(session, _TAKE_TURN, {"person_id": person_id})


def redeem_payment_code(session: Session, actor: Actor, *, text: str, issuer: str, amount_fen: int) -> Identified:
    """Accept a payment code once, for exactly this amount, at the hospital that it was made for.

    :raises CodeWrongClass: genuine, but no payment code.
    :raises PaymentDiffers: made for another hospital or amount.
    :raises CodeMalformed, CodeForged, CodeExpired, CodeRevoked, CodeRedeemed: as ``redeem_code``.
    """
    read = read_genuine(session, text, issuer)
    if not read.can(Power.PAY):
        raise CodeWrongClass
    card = find_card(session, read)
    if read.payment != codes.Payment(actor.house_id, amount_fen):
        raise PaymentDiffers
    return _record_scan(session, actor, read, _redeem_signed(session, actor, read, card, None))


def read_genuine(session: Session, text: str, issuer: str) -> codes.ReadCode:
    """What the code says; its signature is checked before the database is asked anything.

    :raises CodeMalformed, CodeForged: as ``codes.read_code``.
    """
    return codes.read_code(text, keys.ring(session, KEY_PURPOSE).verifying_keys, issuer)


def find_card(session: Session, read: codes.ReadCode) -> Card:
    """The card that a code is for.

    :raises CodeForged: there never was one.
    """
    card = session.scalars(select(Card).filter_by(number=read.card_number)).one_or_none()
    if card is None:
        raise CodeForged
    return card


def check_age(read: codes.ReadCode, at: datetime, *, late: timedelta = timedelta(0)) -> None:
    """Check that a signed code is good at this moment by its times alone.

    :param late: what a clock that is not the platform's is granted beyond the 60 seconds.
    :raises CodeExpired: too old, of the future, or made outside the time of its device's certificate.
    """
    assert read.issued_at is not None
    if read.device is not None:
        # The phone made it by its own clock.
        late = CLOCK_SKEW
        if not read.device.certified_at - CLOCK_SKEW <= read.issued_at < read.device.expires_at:
            raise CodeExpired
    if not read.issued_at - CLOCK_SKEW <= at <= read.issued_at + DYNAMIC_LIFE + late:
        raise CodeExpired


def check_device(session: Session, read: codes.ReadCode, card: Card, *, at: datetime) -> None:
    """Check that the device that made a code was not revoked by then, and its login holds the person.

    :raises CodeRevoked: either.
    """
    if read.device is None:
        return
    alive = session.scalar(
        select(CodeDevice.id)
        .join(Holder, Holder.login_id == CodeDevice.login_id)
        .where(CodeDevice.card_id == card.id, CodeDevice.public_key == read.device.public_key)
        .where(CodeDevice.revoked_at.is_(None) | (CodeDevice.revoked_at > at))
        .where(Holder.person_id.in_(same_person_ids(card.person_id)), is_holding())
        .limit(1)
    )
    if alive is None:
        raise CodeRevoked


def find_or_redeem(
    session: Session, read: codes.ReadCode, card: Card, *, terminal_id: UUID | None, at: datetime
) -> tuple[CodeRedemption, bool]:
    """Use the code up; returns its redemption and whether it is this one.

    The unique nonce decides between scans at the same moment; the loser waits, then sees the winner.
    """
    redeemed = session.scalars(
        insert(CodeRedemption)
        .values(id=new_id(), nonce=read.nonce, card_id=card.id, terminal_id=terminal_id, redeemed_at=at)
        .on_conflict_do_nothing(index_elements=["nonce"])
        .returning(CodeRedemption)
    ).one_or_none()
    if redeemed is not None:
        return redeemed, True
    return session.scalars(select(CodeRedemption).filter_by(nonce=read.nonce)).one(), False


def _redeem_at_once(session: Session, read: codes.ReadCode, terminal_id: UUID) -> Identified | None:
    """Use up a code that the platform signed and nobody has shown yet; None: see what it is instead.

    :raises CodeExpired, CodeRevoked: the caller's transaction ends with it, and so does the redemption.
    """
    if read.nonce is None or read.device is not None:
        return None
    now = clock.now()
    check_age(read, now)
    redemption_id = new_id()
    used = {"id": redemption_id, "nonce": read.nonce, "terminal_id": terminal_id, "now": now}
    row = statements.run(session, _REDEEM, used | {"number": read.card_number})
    if row is None:
        return None
    card_id, person_id, state, replaced_at, epoch, _turn = row
    _check_in_force(state, replaced_at, is_of_epoch=read.epoch == epoch)
    return Identified(person_id, card_id, read.kind, redemption_id)


def _redeem_signed(
    session: Session, actor: Actor, read: codes.ReadCode, card: Card, terminal_id: UUID | None
) -> Identified:
    now = clock.now()
    check_age(read, now)
    _check_in_force(card.state, card.replaced_at, is_of_epoch=read.epoch == card.epoch)
    check_device(session, read, card, at=now)
    redemption, is_new = find_or_redeem(session, read, card, terminal_id=terminal_id, at=now)
    is_reread = terminal_id is not None and (redemption.terminal_id, redemption.card_id) == (terminal_id, card.id)
    if is_new or (is_reread and now - redemption.redeemed_at <= REREAD):
        return Identified(card.person_id, card.id, read.kind, redemption.id, is_reread=not is_new)
    raise _refuse_repeat(session, actor, redemption, terminal_id)


def _refuse_repeat(session: Session, actor: Actor, earlier: CodeRedemption, terminal_id: UUID | None) -> CodeRedeemed:
    refusal = CodeRedeemed()
    if terminal_id is not None and earlier.terminal_id not in {None, terminal_id}:
        person_id = session.get_one(Card, earlier.card_id).person_id
        raise_replay_alarm(session, actor, person_id=person_id, earlier=earlier, terminal_id=terminal_id)
        # The scan is refused and the alarm stays.
        refusal.keeps_changes = True
    return refusal


def _check_in_force(state: int, replaced_at: datetime | None, *, is_of_epoch: bool = True) -> None:
    if state != CardState.NORMAL or replaced_at is not None or not is_of_epoch:
        raise CodeRevoked


def _record_scan(session: Session, actor: Actor, read: codes.ReadCode, found: Identified) -> Identified:
    audit.record_act(
        session,
        actor,
        "health_card.code.scanned",
        subject_id=found.person_id,
        of=("card", found.card_id),
        facts={"kind": read.kind} | ({"made_by": "device"} if read.device else {}),
    )
    is_at_desk = actor.kind is ActorKind.STAFF and not found.is_reread
    if is_at_desk and read.can(Power.CONFIRM) and read.nonce is not None and found.redemption_id is not None:
        card = session.get_one(Card, found.card_id)
        note_confirmed_code(session, actor, nonce=read.nonce, redemption_id=found.redemption_id, card=card)
    return found
