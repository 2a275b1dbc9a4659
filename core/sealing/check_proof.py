"""Check, without the platform, that an entry stands in its audit log: ``python check_proof.py KEYS PROOF...``.

This file needs nothing but Python and the package ``cryptography``. KEYS is a file with the log's public keys, a line
each (``/audit-log/keys``), taken at a time and from a place that you trust. A proof is a file in the format
c2sp.org/tlog-proof, whose extra data is the entry itself.
"""

import base64
import binascii
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FIRST_LINE = "c2sp.org/tlog-proof@v1"
ED25519 = b"\x01"


class NotProven(ValueError):
    """What was given proves nothing; the text says why."""


@dataclass(frozen=True)
class Key:
    """Who signs, as c2sp.org/signed-note has it. ``public``: 32 bytes of an Ed25519 key."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """4 bytes by which a signature names its key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself (c2sp.org/tlog-checkpoint): so many leaves, under this root."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def read_key(line: str) -> Key:
    """:raises NotProven: not a key that verifies Ed25519 signatures of notes."""
    name, _, rest = line.strip().partition("+")
    id_, _, encoded = rest.partition("+")
    public = _decode(encoded)
    key = Key(name, public[1:])
    if not name or public[:1] != ED25519 or len(public) != 33 or key.id.hex() != id_:
        raise NotProven("this is not a public key of a log")
    return key


def read_note(note: str, keys: Iterable[Key]) -> tuple[str, Key]:
    """The text of a signed note, and a key of these that has signed it.

    :raises NotProven: none has, or one of them is said to have and has not.
    """
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not note.endswith("\n"):
        raise NotProven("a signed note ends with an empty line and its signatures")
    text += "\n"
    known, signed = {(key.name, key.id): key for key in keys}, None
    for line in lines.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "—" or not name:
            raise NotProven("a signature has the form: — name base64")
        signature = _decode(encoded)
        key = known.get((name, signature[:4]))
        if key is not None:
            _check_signature(key, signature[4:], text)
            signed = key
    if signed is None:
        raise NotProven("no known key has signed this")
    return text, signed


def _check_signature(key: Key, signature: bytes, text: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
    except InvalidSignature:
        raise NotProven(f"the signature of {key.name} is wrong") from None


def read_checkpoint(text: str) -> Checkpoint:
    """:raises NotProven: the text of a note is not that of a checkpoint."""
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not lines[1].isascii() or not lines[1].isdecimal():
        raise NotProven("this is not a checkpoint")
    return Checkpoint(lines[0], int(lines[1]), _decode(lines[2]))


def lead_to_root(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root to which a leaf's hash leads by an inclusion proof (RFC 9162, section 2.1.3.2).

    :raises NotProven: the proof does not have the length that the place in the tree asks for.
    """
    if not 0 <= index < size:
        raise NotProven("the tree has no such place")
    hash_, place, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            raise NotProven("the proof is too long")
        if place & 1 or place == last:
            hash_ = sha256(b"\x01" + sibling + hash_).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hash_ = sha256(b"\x01" + hash_ + sibling).digest()
        place, last = place >> 1, last >> 1
    if last:
        raise NotProven("the proof is too short")
    return hash_


def check_proof(proof: str, keys: Iterable[Key]) -> tuple[Checkpoint, int, str]:
    """The checkpoint, the place and the entry (JSON) of a proof that holds.

    :raises NotProven: it does not.
    """
    head, separator, note = proof.partition("\n\n")
    first, *lines = head.split("\n")
    if first != FIRST_LINE or not separator or len(lines) < 2:
        raise NotProven(f"a proof starts with {FIRST_LINE}, the entry and its place")
    entry = _decode(lines[0].removeprefix("extra "))
    place = lines[1].removeprefix("index ")
    if not place.isascii() or not place.isdecimal():
        raise NotProven("the entry has no place")
    checkpoint = read_checkpoint(read_note(note, keys)[0])
    leaf = sha256(b"\x00" + entry).digest()
    if lead_to_root(leaf, int(place), checkpoint.size, [_decode(line) for line in lines[2:]]) != checkpoint.root:
        raise NotProven("the entry is not the one that was sealed at this place")
    return checkpoint, int(place), entry.decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotProven("this is not base64") from None


def main(arguments: Sequence[str]) -> int:
    """Check each file. Returns the exit code: 0 when all hold."""
    if len(arguments) < 2:
        sys.stderr.write("usage: check_proof.py KEYS PROOF...\n")
        return 2
    keys = [read_key(line) for line in Path(arguments[0]).read_text().splitlines()]
    failed = 0
    for name in arguments[1:]:
        try:
            checkpoint, index, entry = check_proof(Path(name).read_bytes().decode(), keys)
        except ValueError as wrong:
            failed += 1
            sys.stdout.write(f"{name}: NOT PROVEN: {wrong}\n")
        else:
            sys.stdout.write(f"{name}: entry {index} of {checkpoint.size} in {checkpoint.origin}\n")
            sys.stdout.write(f"  {json.dumps(json.loads(entry), ensure_ascii=False)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
