"""Signing checkpoints: c2sp.org/tlog-checkpoint in c2sp.org/signed-note, by Ed25519."""

import base64
from collections.abc import Sequence
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.keys import SigningKey
from core.sealing.check_proof import Checkpoint, Key

KEY_PURPOSE = "audit_log"
ADDRESS = "/audit-log"


def name_log(base_url: str) -> str:
    """The name of a log at this address: its origin line, and its name as a signer."""
    return urlsplit(base_url).netloc + ADDRESS


def sign_checkpoint(checkpoint: Checkpoint, private: Ed25519PrivateKey) -> str:
    """The signed note of a checkpoint, under the log's own name."""
    key = Key(checkpoint.origin, private.public_key().public_bytes_raw())
    signature = base64.b64encode(key.id + private.sign(str(checkpoint).encode())).decode()
    return f"{checkpoint}\n— {key.name} {signature}\n"


def list_keys(session: Session, origin: str) -> Sequence[Key]:
    """All keys that a log of this name has signed with or will, oldest first: what they signed outlives them.

    Without those that were killed: what they signed is held by the checkpoints after it.
    """
    wanted = select(SigningKey.public_key).where(SigningKey.purpose == KEY_PURPOSE, SigningKey.killed_at.is_(None))
    return [Key(origin, public) for public in session.scalars(wanted.order_by(SigningKey.signs_at, SigningKey.kid))]
