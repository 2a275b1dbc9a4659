"""A desk is back on the network and hands in what it accepted meanwhile."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from health_card import codes
from health_card.models import Card, CardState
from health_card.notices import service as notices
from health_card.notices.models import NoticeKind
from health_card.offline.models import OfflineQueue, OfflineScan
from health_card.offline.refusals import OfflineChainBroken, OfflineKeyInvalid, OfflineSignatureWrong
from health_card.refusals import CodeExpired, CodeForged, CodeRefused, CodeRevoked
from health_card.service import scans

FIRST_HEAD = bytes(32)
_DOMAIN = b"yimatong.offline-scan.v1\0"


@dataclass(frozen=True)
class Entry:
    """One accepted code as the desk wrote it down. ``previous``: the digest of the entry before it."""

    sequence: int
    previous: bytes
    scanned_at: int
    code: str
    signature: bytes

    def signed_text(self, terminal: str) -> bytes:
        """What the terminal's key signs; its SHA-256 is the entry's digest."""
        fields = (terminal, str(self.sequence), self.previous.hex(), str(self.scanned_at), self.code)
        return _DOMAIN + "\n".join(fields).encode()


@dataclass(frozen=True)
class Submission:
    """Entries of one terminal in their order, and the key that signed them (a public JWK)."""

    terminal: str
    key: Mapping[str, Any]
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Result:
    """What became of an entry; see ``OfflineScan``."""

    sequence: int
    outcome: str


@dataclass(frozen=True)
class _Judged:
    outcome: str
    card: Card | None = None
    kind: str | None = None
    redemption_id: UUID | None = None


def submit_scans(session: Session, actor: Actor, *, submission: Submission, issuer: str) -> tuple[list[Result], int]:
    """Verify each code again as of its time and use it up; what does not hold is kept and flagged.

    Sent again, an entry gets the same result and nothing else happens.

    :returns: a result for each entry, and the number that the next new entry must have.
    :raises TerminalUnknown: not enrolled at the actor's hospital.
    :raises OfflineKeyInvalid: not a public JWK of a kind that terminals have.
    :raises OfflineSignatureWrong: an entry is not the terminal's.
    :raises OfflineChainBroken: an entry is missing before this one, or was changed since it was sent first.
    """
    terminal_id = accounts.check_terminal(session, actor, code=submission.terminal)
    key, thumbprint = _read_key(submission.key)
    queue = _lock_queue(session, terminal_id, submission.key, thumbprint)
    results = []
    for entry in submission.entries:
        signed = entry.signed_text(submission.terminal)
        digest = hashlib.sha256(signed).digest()
        if entry.sequence < queue.next_sequence:
            results.append(_find_result(session, queue, entry, digest))
            continue
        if entry.sequence != queue.next_sequence or entry.previous != queue.head:
            raise OfflineChainBroken(sequence=entry.sequence, expected_sequence=queue.next_sequence)
        if not key.Algorithm.verify(signed, key.key, entry.signature):
            raise OfflineSignatureWrong(sequence=entry.sequence)
        judged = _judge(session, entry, issuer, terminal_id)
        _record(session, actor, queue=queue, entry=entry, digest=digest, judged=judged)
        queue.next_sequence, queue.head = entry.sequence + 1, digest
        results.append(Result(entry.sequence, judged.outcome))
    return results, queue.next_sequence


def _read_key(jwk: Mapping[str, Any]) -> tuple[jwt.PyJWK, bytes]:
    """The key, and its thumbprint by RFC 7638 (section 3.2; RFC 8037, section 2)."""
    names = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y")}.get(str(jwk.get("kty")), ())
    if jwk.get("crv") not in {"Ed25519", "P-256"} or set(jwk) - {"kid", "use", "alg", "ext", "key_ops"} != set(names):
        raise OfflineKeyInvalid
    try:
        key = jwt.PyJWK({name: jwk[name] for name in names})
    except (jwt.PyJWTError, TypeError, ValueError):
        raise OfflineKeyInvalid from None
    assert isinstance(key.Algorithm, OKPAlgorithm | ECAlgorithm)
    members = ",".join(f'"{name}":"{jwk[name]}"' for name in names)
    return key, hashlib.sha256(f"{{{members}}}".encode()).digest()


def _lock_queue(session: Session, terminal_id: UUID, jwk: Mapping[str, Any], thumbprint: bytes) -> OfflineQueue:
    session.execute(
        insert(OfflineQueue)
        .values(
            id=new_id(),
            terminal_id=terminal_id,
            thumbprint=thumbprint,
            key=dict(jwk),
            next_sequence=1,
            head=FIRST_HEAD,
            opened_at=clock.now(),
        )
        .on_conflict_do_nothing()
    )
    mine = select(OfflineQueue).filter_by(terminal_id=terminal_id, thumbprint=thumbprint)
    return session.scalars(mine.with_for_update()).one()


def _find_result(session: Session, queue: OfflineQueue, entry: Entry, digest: bytes) -> Result:
    kept = session.scalars(select(OfflineScan).filter_by(queue_id=queue.id, sequence=entry.sequence)).one_or_none()
    if kept is None or kept.digest != digest:
        raise OfflineChainBroken(sequence=entry.sequence, expected_sequence=queue.next_sequence)
    return Result(kept.sequence, kept.outcome)


def _judge(session: Session, entry: Entry, issuer: str, terminal_id: UUID) -> _Judged:
    scanned_at = codes.moment(entry.scanned_at)
    if scanned_at > clock.now() + scans.CLOCK_SKEW:
        return _Judged("clock_wrong")
    try:
        read = scans.read_genuine(session, entry.code, issuer)
    except CodeRefused:
        return _Judged("not_genuine")
    try:
        card = scans.find_card(session, read)
    except CodeForged:
        return _Judged("unknown", kind=read.kind)
    if read.kind not in {"S", "D"}:
        return _Judged("wrong_class", card, read.kind)
    return _judge_genuine(session, read, card, terminal_id, scanned_at)


def _judge_genuine(
    session: Session, read: codes.ReadCode, card: Card, terminal_id: UUID, scanned_at: datetime
) -> _Judged:
    if not _was_in_force(card, read.epoch, scanned_at):
        return _Judged("revoked", card, read.kind)
    if read.nonce is None:
        return _Judged("accepted", card, read.kind)
    try:
        # The desk's clock is not ours.
        scans.check_age(read, scanned_at, late=scans.CLOCK_SKEW)
        scans.check_device(session, read, card, at=scanned_at)
    except CodeExpired:
        return _Judged("expired", card, read.kind)
    except CodeRevoked:
        return _Judged("revoked", card, read.kind)
    redemption, is_new = scans.find_or_redeem(session, read, card, terminal_id=terminal_id, at=scanned_at)
    return _Judged("accepted" if is_new else "double_used", card, read.kind, redemption.id)


def _was_in_force(card: Card, epoch: int | None, at: datetime) -> bool:
    """As far as is known: of several changes only the last one's time is kept, so then the answer is no."""
    is_good = card.state == CardState.NORMAL and card.replaced_at is None
    if not is_good and (card.state_changed_at is None or card.state_changed_at <= at):
        return False
    if epoch in {None, card.epoch}:
        return True
    return epoch == card.epoch - 1 and card.epoch_raised_at is not None and card.epoch_raised_at > at


def _record(
    session: Session, actor: Actor, *, queue: OfflineQueue, entry: Entry, digest: bytes, judged: _Judged
) -> None:
    kept = OfflineScan(
        queue_id=queue.id,
        sequence=entry.sequence,
        code=entry.code,
        scanned_at=codes.moment(entry.scanned_at),
        digest=digest,
        signature=entry.signature,
        outcome=judged.outcome,
        card_id=judged.card.id if judged.card else None,
        redemption_id=judged.redemption_id,
        submitted_by=actor.id,
        submitted_at=clock.now(),
    )
    session.add(kept)
    session.flush()
    person_id = judged.card.person_id if judged.card else None
    audit.record_act(
        session,
        actor,
        "health_card.code.scanned_offline",
        subject_id=person_id,
        of=("offline_scan", kept.id),
        facts={"kind": judged.kind, "outcome": judged.outcome},
    )
    if person_id is not None and judged.outcome == "double_used":
        notices.tell(
            session,
            person_id=person_id,
            kind=NoticeKind.CODE_DOUBLE_USED,
            facts={"terminal": accounts.get_terminal(session, queue.terminal_id).code},
            hospital_id=actor.house_id,
            of=("offline_scan", kept.id),
        )
