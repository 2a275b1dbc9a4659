"""Sealed values: envelope encryption with a data key a person, and blind indexes to look values up.

Every sealed value begins with its suite and the id of its key, so that any can be read and one is written.

==============  =====================================================================================
wrapped key     suite (1) | length of kid (1) | kid | nonce (12) | AES-256-GCM(key id (8) | key (32))
sealed value    suite (1) | key id (8) | nonce (12) | AES-256-GCM(UTF-8 text)
==============  =====================================================================================
"""

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.config import Config

AES_256_GCM = 1
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12


class SealBroken(Exception):
    """A sealed value was altered, moved to another place, or belongs to a key that is not held."""


@dataclass(frozen=True)
class DataKey:
    """The key of one person's values. ``context`` ties a value to its column: it opens nowhere else."""

    id: bytes
    _secret: bytes = field(repr=False)

    def seal(self, plain: str, *, context: str) -> bytes:
        """Seal a text; two seals of one text differ."""
        return self.seal_bytes(plain.encode(), context=context)

    def unseal(self, sealed: bytes, *, context: str) -> str:
        """:raises SealBroken: the value is not what this key sealed for this context."""
        return self.unseal_bytes(sealed, context=context).decode()

    def seal_bytes(self, plain: bytes, *, context: str) -> bytes:
        """As ``seal``, for a document."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._secret).encrypt(nonce, plain, context.encode())
        return bytes([AES_256_GCM]) + self.id + nonce + sealed

    def unseal_bytes(self, sealed: bytes, *, context: str) -> bytes:
        """:raises SealBroken: as ``unseal``."""
        start = 1 + _KEY_ID_BYTES
        if sealed[:1] != bytes([AES_256_GCM]) or sealed[1:start] != self.id:
            raise SealBroken("another suite or another key")
        nonce, body = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
        return _open(self._secret, nonce, body, context)


@dataclass(frozen=True)
class Vault:
    """Holds the master keys and the index key."""

    master_keys: dict[str, bytes] = field(repr=False)
    current: str
    index_key: bytes = field(repr=False)

    def new_key(self) -> tuple[DataKey, bytes]:
        """A fresh data key, and its wrapped form to store beside what it seals."""
        key = DataKey(secrets.token_bytes(_KEY_ID_BYTES), secrets.token_bytes(32))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        kid = self.current.encode()
        body = AESGCM(self.master_keys[self.current]).encrypt(nonce, key.id + key._secret, kid)
        return key, bytes([AES_256_GCM, len(kid)]) + kid + nonce + body

    def unwrap(self, wrapped: bytes) -> DataKey:
        """:raises SealBroken: altered, or wrapped by a master key that is not held."""
        if len(wrapped) < 2 or wrapped[0] != AES_256_GCM:
            raise SealBroken("unknown suite")
        start = 2 + wrapped[1]
        kid = wrapped[2:start]
        master = self.master_keys.get(kid.decode("ascii", "replace"))
        if master is None:
            raise SealBroken("the master key is not held")
        body = wrapped[start + _NONCE_BYTES :]
        opened = _open(master, wrapped[start : start + _NONCE_BYTES], body, kid.decode("ascii"))
        return DataKey(opened[:_KEY_ID_BYTES], opened[_KEY_ID_BYTES:])

    def blind_index(self, plain: str, *, context: str) -> bytes:
        """A keyed fingerprint to find equal values by (32 bytes); without the key it cannot be enumerated."""
        return hmac.new(self.index_key, f"{context}\0{plain}".encode(), sha256).digest()


def _open(secret: bytes, nonce: bytes, body: bytes, context: str) -> bytes:
    try:
        return AESGCM(secret).decrypt(nonce, body, context.encode())
    except (InvalidTag, ValueError) as broken:
        raise SealBroken("the seal does not hold") from broken


_vault: Vault | None = None


def configure(config: Config) -> None:
    """Open the process's vault, once, at its start."""
    global _vault
    _vault = Vault(dict(config.master_keys), config.current_master_key_id, config.index_key)


def vault() -> Vault:
    """The process's vault."""
    if _vault is None:
        raise RuntimeError("the vault was not configured")
    return _vault
