"""The platform's signing keys, one ring a purpose, private halves sealed in the database: Ed25519, and RSA of 2048 bits
where the standard of those who verify asks for it.

A ring turns every 90 days: the next key is published a day before it signs, so that who keeps a copy of the public keys
has it in time, and the one before it verifies for a week more, so that what it signed can run out.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from sqlalchemy import CheckConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, clock
from core.actor import SYSTEM, Actor
from core.db import Base
from core.vault import vault

CACHE_SECONDS = 10.0
ROTATION = timedelta(days=90)
PUBLISHED_AHEAD = timedelta(days=1)
OVERLAP = timedelta(days=7)
# Algorithms of RFC 7518 and RFC 8037.
EDDSA, RS256 = "EdDSA", "RS256"
_CONTEXT = "signing_keys.private"
_RSA_BITS = 2048


class SigningKey(Base):
    """One key of a ring. Retired keys still verify until they expire; killed ones do nothing any more.

    Both halves are raw bytes of an Ed25519 key, or DER of an RSA key (PKCS #8, SubjectPublicKeyInfo).
    """

    __tablename__ = "signing_keys"
    __table_args__ = (CheckConstraint("algorithm IN ('EdDSA', 'RS256')", name="algorithm"),)

    kid: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    algorithm: Mapped[str] = mapped_column(default=EDDSA)
    public_key: Mapped[bytes]
    data_key: Mapped[bytes]
    private_sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    signs_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    killed_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Ring:
    """The keys of one purpose as this process knows them; Ed25519."""

    signing_kid: str
    signing_key: Ed25519PrivateKey
    verifying_keys: dict[str, Ed25519PublicKey]


@dataclass(frozen=True)
class RsaSigner:
    """The key of a purpose that signs by RSA."""

    kid: str
    key: RSAPrivateKey


_rings: dict[str, tuple[float, Ring]] = {}


@dataclass(frozen=True)
class PublishedKey:
    """A public key as others may keep it. ``expires_at``: known once the next one was published."""

    kid: str
    public_key: bytes
    signs_at: datetime
    expires_at: datetime | None


def prepare_ring(session: Session, purpose: str, *, algorithm: str = EDDSA) -> bool:
    """Make the first key of a purpose when there is none; returns whether it did. Safe to run at the same moment."""
    _lock(session, purpose)
    if session.scalar(select(SigningKey.kid).filter_by(purpose=purpose).limit(1)):
        return False
    add_key(session, purpose, algorithm=algorithm)
    return True


def add_key(session: Session, purpose: str, *, signs_at: datetime | None = None, algorithm: str = EDDSA) -> str:
    """Add a key that signs from this time on, at once when left out; returns its kid, 8 hexadecimal digits."""
    raw, public = _new_pair(algorithm)
    data_key, wrapped = vault().new_key()
    kid, now = secrets.token_hex(4), clock.now()
    session.add(
        SigningKey(
            kid=kid,
            purpose=purpose,
            algorithm=algorithm,
            public_key=public,
            data_key=wrapped,
            private_sealed=data_key.seal(raw.hex(), context=_CONTEXT),
            created_at=now,
            signs_at=signs_at or now,
        )
    )
    session.flush()
    return kid


def rotate_ring(session: Session, actor: Actor, purpose: str) -> str:
    """Publish the next key of a purpose: it signs in a day, and those before it expire a week after that.

    :returns: its kid; that of the key that waits already, when there is one.
    :raises LookupError: the platform does not sign for this purpose.
    """
    _lock(session, purpose)
    alive = _list_alive(session, purpose)
    if not alive:
        raise LookupError(f"there are no keys for {purpose}")
    now = clock.now()
    waiting = next((row for row in alive if row.signs_at > now), None)
    if waiting is not None:
        return waiting.kid
    signs_at = now + PUBLISHED_AHEAD
    for row in alive:
        row.retired_at = row.retired_at or signs_at
        row.expires_at = row.expires_at or signs_at + OVERLAP
    kid = add_key(session, purpose, signs_at=signs_at, algorithm=alive[0].algorithm)
    audit.record_act(session, actor, "core.key.rotated", facts={"purpose": purpose, "kid": kid})
    return kid


def rotate_old_rings(session: Session, actor: Actor) -> list[str]:
    """Rotate every ring whose newest key has signed for 90 days; returns the new kids."""
    newest = select(SigningKey.purpose).where(SigningKey.killed_at.is_(None)).group_by(SigningKey.purpose)
    old = newest.having(func.max(SigningKey.signs_at) <= clock.now() - ROTATION + PUBLISHED_AHEAD)
    return [rotate_ring(session, actor, purpose) for purpose in session.scalars(old.order_by(SigningKey.purpose))]


def kill_key(session: Session, kid: str, *, actor: Actor = SYSTEM) -> None:
    """Make a key worthless at once in the database, and in every process within ``CACHE_SECONDS``.

    When it was the last one that could sign, another signs at once.
    """
    killed = session.get_one(SigningKey, kid)
    _lock(session, killed.purpose)
    killed.killed_at = now = clock.now()
    session.flush()
    alive = _list_alive(session, killed.purpose)
    if not any(row.signs_at > now for row in alive):
        # Those that were to make room for the killed one go on.
        for row in alive:
            if row.retired_at is not None and row.retired_at > now:
                row.retired_at = row.expires_at = None
    if _find_signing(alive) is None:
        add_key(session, killed.purpose, algorithm=killed.algorithm)
    audit.record_act(session, actor, "core.key.killed", facts={"purpose": killed.purpose, "kid": kid})


def list_published(session: Session, purpose: str) -> list[PublishedKey]:
    """The public keys of a purpose that are good now or soon, newest first. Never from the cache."""
    return [
        PublishedKey(row.kid, row.public_key, row.signs_at, row.expires_at) for row in _list_alive(session, purpose)
    ]


def list_lasting(session: Session, purpose: str) -> list[PublishedKey]:
    """As ``list_published``, also those that have expired: for signatures that outlive their key. Not killed ones."""
    asked = select(SigningKey).where(SigningKey.purpose == purpose, SigningKey.killed_at.is_(None))
    newest_first = asked.order_by(SigningKey.signs_at.desc(), SigningKey.kid)
    return [
        PublishedKey(row.kid, row.public_key, row.signs_at, row.expires_at) for row in session.scalars(newest_first)
    ]


def ring(session: Session, purpose: str) -> Ring:
    """The ring of a purpose, read again at most every ``CACHE_SECONDS``."""
    known = find_known_ring(purpose)
    if known is not None:
        return known
    loaded = _load(session, purpose)
    _rings[purpose] = (time.monotonic(), loaded)
    return loaded


def find_known_ring(purpose: str) -> Ring | None:
    """As ``ring``, without the database; None when it has to be asked again."""
    cached = _rings.get(purpose)
    return cached[1] if cached and time.monotonic() - cached[0] < CACHE_SECONDS else None


def load_rsa_signer(session: Session, purpose: str) -> RsaSigner:
    """The key that signs for a purpose of RSA. Never from the cache: it is asked for seldom."""
    row, raw = _load_signing(_list_alive(session, purpose), purpose)
    key = load_der_private_key(raw, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError(f"{row.kid} is no RSA key")
    return RsaSigner(row.kid, key)


def find_public_key(session: Session, purpose: str, kid: str) -> Ed25519PublicKey | None:
    """A key of this purpose also after it has expired, for signatures that outlive it; None when it was killed."""
    row = session.get(SigningKey, kid)
    if row is None or row.purpose != purpose or row.killed_at is not None:
        return None
    return Ed25519PublicKey.from_public_bytes(row.public_key)


def forget_rings() -> None:
    """Drop the cache (another database, or a key was killed in this process)."""
    _rings.clear()


def _load(session: Session, purpose: str) -> Ring:
    rows = _list_alive(session, purpose)
    signing, raw = _load_signing(rows, purpose)
    return Ring(
        signing_kid=signing.kid,
        signing_key=Ed25519PrivateKey.from_private_bytes(raw),
        verifying_keys={row.kid: Ed25519PublicKey.from_public_bytes(row.public_key) for row in rows},
    )


def _load_signing(rows: Sequence[SigningKey], purpose: str) -> tuple[SigningKey, bytes]:
    """The key that signs, and its private half."""
    # A process whose clock is a little behind may not know yet that the first key signs.
    signing = _find_signing(rows) or next((row for row in reversed(rows) if row.retired_at is None), None)
    if signing is None:
        raise RuntimeError(f"no key signs for {purpose}: run `flask --app app prepare`")
    return signing, bytes.fromhex(vault().unwrap(signing.data_key).unseal(signing.private_sealed, context=_CONTEXT))


def _new_pair(algorithm: str) -> tuple[bytes, bytes]:
    """The private and the public half of a new key."""
    if algorithm == RS256:
        rsa = generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
        private = rsa.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return private, rsa.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _list_alive(session: Session, purpose: str) -> Sequence[SigningKey]:
    return session.scalars(
        select(SigningKey)
        .where(SigningKey.purpose == purpose, SigningKey.killed_at.is_(None))
        .where(SigningKey.expires_at.is_(None) | (SigningKey.expires_at > clock.now()))
        .order_by(SigningKey.signs_at.desc(), SigningKey.kid)
    ).all()


def _find_signing(alive: Sequence[SigningKey]) -> SigningKey | None:
    """The newest one whose time to sign has come and not ended."""
    now = clock.now()
    return next(
        (row for row in alive if row.signs_at <= now and (row.retired_at is None or row.retired_at > now)), None
    )


def _lock(session: Session, purpose: str) -> None:
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"signing_keys:{purpose}"))))
