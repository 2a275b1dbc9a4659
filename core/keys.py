"""The platform's signing keys: Ed25519, one ring a purpose, private halves sealed in the database."""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import clock
from core.db import Base
from core.vault import vault

CACHE_SECONDS = 10.0
_CONTEXT = "signing_keys.private"


class SigningKey(Base):
    """One key of a ring. Retired keys still verify; killed ones do nothing any more."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    public_key: Mapped[bytes]
    data_key: Mapped[bytes]
    private_sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
    killed_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Ring:
    """The keys of one purpose as this process knows them."""

    signing_kid: str
    signing_key: Ed25519PrivateKey
    verifying_keys: dict[str, Ed25519PublicKey]


_rings: dict[str, tuple[float, Ring]] = {}


def prepare_ring(session: Session, purpose: str) -> bool:
    """Make the first key of a purpose when there is none; returns whether it did. Safe to run at the same moment."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"signing_keys:{purpose}"))))
    if session.scalar(select(SigningKey.kid).filter_by(purpose=purpose).limit(1)):
        return False
    add_key(session, purpose)
    return True


def add_key(session: Session, purpose: str) -> str:
    """Add a key that signs from now on (the newest one signs); returns its kid, 8 hexadecimal digits."""
    private = Ed25519PrivateKey.generate()
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    data_key, wrapped = vault().new_key()
    kid = secrets.token_hex(4)
    session.add(
        SigningKey(
            kid=kid,
            purpose=purpose,
            public_key=private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
            data_key=wrapped,
            private_sealed=data_key.seal(raw.hex(), context=_CONTEXT),
            created_at=clock.now(),
        )
    )
    session.flush()
    return kid


def kill_key(session: Session, kid: str) -> None:
    """Make a key worthless at once in the database, and in every process within ``CACHE_SECONDS``."""
    session.get_one(SigningKey, kid).killed_at = clock.now()


def ring(session: Session, purpose: str) -> Ring:
    """The ring of a purpose, read again at most every ``CACHE_SECONDS``."""
    cached = _rings.get(purpose)
    if cached and time.monotonic() - cached[0] < CACHE_SECONDS:
        return cached[1]
    loaded = _load(session, purpose)
    _rings[purpose] = (time.monotonic(), loaded)
    return loaded


def forget_rings() -> None:
    """Drop the cache (another database, or a key was killed in this process)."""
    _rings.clear()


def _load(session: Session, purpose: str) -> Ring:
    rows = session.scalars(
        select(SigningKey)
        .where(SigningKey.purpose == purpose, SigningKey.killed_at.is_(None))
        .order_by(SigningKey.created_at.desc(), SigningKey.kid)
    ).all()
    signing = next((row for row in rows if row.retired_at is None), None)
    if signing is None:
        raise RuntimeError(f"no key signs for {purpose}: run `flask --app app prepare`")
    raw = bytes.fromhex(vault().unwrap(signing.data_key).unseal(signing.private_sealed, context=_CONTEXT))
    return Ring(
        signing_kid=signing.kid,
        signing_key=Ed25519PrivateKey.from_private_bytes(raw),
        verifying_keys={row.kid: Ed25519PublicKey.from_public_bytes(row.public_key) for row in rows},
    )
