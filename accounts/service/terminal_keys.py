"""Terminals with a key of their own: how they bring it, and how they prove it at every scan (RFC 9449)."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import Hospital, SpentProof, Terminal, TerminalEnrolment, TerminalKey
from accounts.public_keys import base64url_sha256, check_public_key, thumbprint
from accounts.refusals import (
    EnrolmentCodeInvalid,
    TerminalKeyInvalid,
    TerminalKeyMissing,
    TerminalKeyTaken,
    TerminalProofInvalid,
    TerminalProofMissing,
    TerminalUnknown,
)
from accounts.service.branches import LACKS_DEPARTMENT, refuse_department
from accounts.service.spending import is_first_use
from accounts.service.terminals import check_lock, load_terminal
from core import audit, clock, statements
from core.actor import Actor, ActorKind
from core.vault import vault

ALGORITHMS = ("ES256", "EdDSA")
ENROLMENT_LIFE = timedelta(minutes=10)
# The clocks of desks go wrong; more than this and the desk is told.
PROOF_SKEW = timedelta(seconds=120)

# Read out and typed: without 0 O 1 I L. 50 bits, kept as a keyed index, good for ten minutes.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_CODE_CONTEXT = "terminal_enrolments.code"

# Asked at every scan, hence by hand.
_TERMINAL = statements.compose(
    """
SELECT t.id, t.locked_until, h.requires_terminal_keys, k.id, k.jwk, ({lacks_department})
FROM terminals t
    JOIN hospitals h ON h.id = t.hospital_id
    LEFT JOIN terminal_keys k ON k.terminal_id = t.id AND k.revoked_at IS NULL
WHERE t.hospital_id = %(hospital_id)s AND t.code = %(code)s AND t.is_enabled
""",
    lacks_department=LACKS_DEPARTMENT,
)


@dataclass(frozen=True)
class EnrolmentCode:
    """A code as handed out, once: ``XXXXX-XXXXX``."""

    text: str
    expires_at: datetime


@dataclass(frozen=True)
class EnrolledTerminal:
    """What a terminal is told about itself."""

    terminal_id: UUID
    code: str
    hospital_id: UUID
    hospital_name: str
    thumbprint: str


@dataclass(frozen=True)
class TerminalProof:
    """What came with a request as proof of its terminal, and what it must be bound to.

    :ivar text: the DPoP proof; None when there was none.
    :ivar method: HTTP method; ``address``: the address under which the platform is known, without query.
    :ivar session_secret: bearer token, or in a page the token of its forms; its hash is ``ath``.
    :ivar code: the scanned text; its hash is ``code_hash``.
    """

    text: str | None
    method: str
    address: str
    session_secret: str | None = None
    code: str | None = None


def issue_enrolment_code(session: Session, actor: Actor, terminal_id: UUID) -> EnrolmentCode:
    """A code for a terminal to bring its key with. It ends the one before.

    :raises TerminalNotFound: no such terminal.
    """
    load_terminal(session, terminal_id)
    now = clock.now()
    _end_codes(session, terminal_id)
    letters = "".join(secrets.choice(_LETTERS) for _ in range(10))
    enrolment = TerminalEnrolment(
        terminal_id=terminal_id, code_index=_index_of(letters), created_at=now, expires_at=now + ENROLMENT_LIFE
    )
    session.add(enrolment)
    audit.record_act(session, actor, "accounts.terminal.code_issued", of=("terminal", terminal_id))
    return EnrolmentCode(f"{letters[:5]}-{letters[5:]}", enrolment.expires_at)


def enrol_terminal_key(
    session: Session, *, code: str, public_jwk: Mapping[str, Any], proof: TerminalProof
) -> EnrolledTerminal:
    """A terminal brings its public key and shows that it holds the private one. The key that it had before ends.

    :raises EnrolmentCodeInvalid: unknown, used or expired, or the terminal or its hospital is switched off.
    :raises TerminalKeyInvalid: the key is not one that we accept.
    :raises TerminalProofInvalid: the proof was not made with this key for this request.
    :raises TerminalKeyTaken: another terminal has this key.
    """
    try:
        jwk = check_public_key(public_jwk, ALGORITHMS)
    except ValueError as error:
        raise TerminalKeyInvalid(f"{TerminalKeyInvalid.detail} Here: {error}.") from error
    _read_proof(proof, jwk)
    terminal, hospital = _use_code(session, code)
    now, name = clock.now(), thumbprint(jwk)
    _revoke(session, terminal.id)
    key_id = session.scalar(
        insert(TerminalKey)
        .values(terminal_id=terminal.id, jwk=jwk, thumbprint=name, enrolled_at=now)
        .on_conflict_do_nothing()
        .returning(TerminalKey.id)
    )
    if key_id is None:
        raise TerminalKeyTaken
    who = Actor(ActorKind.MACHINE, terminal.id, frozenset(), hospital_id=hospital.id)
    audit.record_act(session, who, "accounts.terminal.key_enrolled", of=("terminal_key", key_id))
    return EnrolledTerminal(terminal.id, terminal.code, hospital.id, hospital.name, name)


def revoke_terminal_key(session: Session, actor: Actor, terminal_id: UUID) -> None:
    """The terminal's key ends now, and a code that waits to bring another does too. Without a key: nothing happens.

    :raises TerminalNotFound: no such terminal.
    """
    load_terminal(session, terminal_id)
    _end_codes(session, terminal_id)
    if _revoke(session, terminal_id):
        audit.record_act(session, actor, "accounts.terminal.key_revoked", of=("terminal", terminal_id))


def check_terminal_proof(
    session: Session, actor: Actor, *, code: str, proof: TerminalProof, department: str | None = None
) -> UUID:
    """Check that a request comes from the terminal that it names, and use the proof up.

    A terminal without a key needs no proof, unless its hospital requires keys.

    :param code: of the terminal, at the actor's hospital.
    :param department: for which it scans, when that is known: checked as ``check_department`` does.
    :returns: the terminal's id.
    :raises TerminalUnknown: not enrolled there, or switched off.
    :raises RateExceeded: too many codes were refused there.
    :raises DepartmentNotHere: the hospital has departments of its own, and this is none of them.
    :raises TerminalKeyMissing: the hospital requires keys, and the terminal has none.
    :raises TerminalProofMissing: it has a key, and nothing was proven.
    :raises TerminalProofInvalid: the proof does not hold, or was used before.
    """
    row = statements.run(session, _TERMINAL, {"hospital_id": actor.house_id, "code": code, "department": department})
    if row is None:
        raise TerminalUnknown
    terminal_id: UUID
    terminal_id, locked_until, requires_key, key_id, jwk, lacks_department = row
    check_lock(locked_until)
    if lacks_department:
        raise refuse_department(session, actor)
    if key_id is not None:
        claims = _read_proof(proof, jwk)
        expires_at = datetime.fromtimestamp(float(claims["iat"]), UTC) + PROOF_SKEW
        if not is_first_use(session, SpentProof.key_id, key_id, jti=claims["jti"], expires_at=expires_at):
            raise TerminalProofInvalid
    elif requires_key:
        raise TerminalKeyMissing
    return terminal_id


def _read_proof(proof: TerminalProof, jwk: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 9449, section 4.3, with the key known beforehand: what the header says of it must be the same."""
    if proof.text is None:
        raise TerminalProofMissing
    try:
        header = jwt.get_unverified_header(proof.text)
        claims: dict[str, Any] = jwt.decode(
            proof.text,
            jwt.PyJWK(dict(jwk)),
            algorithms=[jwk["alg"]],
            options={"require": ["htm", "htu", "iat", "jti"], "verify_iat": False, "verify_aud": False},
        )
        shown = check_public_key({**header["jwk"], "alg": jwk["alg"]}, ALGORITHMS)
        if header.get("typ") != "dpop+jwt" or thumbprint(shown) != thumbprint(jwk):
            raise ValueError("not a proof of this key")
        _check_claims(claims, proof)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise TerminalProofInvalid from error
    return claims


def _check_claims(claims: Mapping[str, Any], proof: TerminalProof) -> None:
    if claims["htm"] != proof.method or claims["htu"] != proof.address:
        raise ValueError("made for another request")
    if not abs(float(claims["iat"]) - clock.now().timestamp()) <= PROOF_SKEW.total_seconds():
        raise ValueError("not made now")
    if not isinstance(claims["jti"], str) or not re.fullmatch(r"[!-~]{8,128}", claims["jti"]):
        raise ValueError("jti must be a text of 8 to 128 printable characters")
    for claim, secret in (("ath", proof.session_secret), ("code_hash", proof.code)):
        if secret is not None and claims.get(claim) != base64url_sha256(secret):
            raise ValueError(f"{claim} is another one")


def _use_code(session: Session, code: str) -> tuple[Terminal, Hospital]:
    """The terminal whose code this is, locked; of two at the same moment the second finds it used."""
    index = _index_of(code)
    terminal_id = session.scalar(select(TerminalEnrolment.terminal_id).filter_by(code_index=index))
    if terminal_id is None:
        raise EnrolmentCodeInvalid
    terminal = load_terminal(session, terminal_id)
    hospital = session.get_one(Hospital, terminal.hospital_id)
    now = clock.now()
    used = session.scalar(
        update(TerminalEnrolment)
        .where(TerminalEnrolment.code_index == index)
        .where(TerminalEnrolment.used_at.is_(None), TerminalEnrolment.expires_at > now)
        .values(used_at=now)
        .returning(TerminalEnrolment.id)
    )
    if used is None or not terminal.is_enabled or not hospital.is_enabled:
        raise EnrolmentCodeInvalid
    return terminal, hospital


def _end_codes(session: Session, terminal_id: UUID) -> None:
    session.execute(
        update(TerminalEnrolment)
        .where(TerminalEnrolment.terminal_id == terminal_id, TerminalEnrolment.expires_at > clock.now())
        .values(expires_at=clock.now())
    )


def _revoke(session: Session, terminal_id: UUID) -> bool:
    revoked = session.scalar(
        update(TerminalKey)
        .where(TerminalKey.terminal_id == terminal_id, TerminalKey.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(TerminalKey.id)
    )
    return revoked is not None


def _index_of(code: str) -> bytes:
    """Case, spaces and the dash between are for whoever reads and types."""
    return vault().blind_index(re.sub(r"[\s-]", "", code).upper(), context=_CODE_CONTEXT)
