"""Read health card codes at a desk without the network. One file: the standard library and ``cryptography``.

It may be copied into a hospital's own system, and it runs by itself::

    python3 desk.py refresh https://card.example.org folder
    python3 desk.py read folder < code.txt

Without the network a code says which card it is and nothing more: no name, no records, no money. Confirmed and payment
codes are refused. What a desk accepted stands in a ``Queue``, each entry signed with the terminal's own key and tied to
the one before it; ``POST /api/v1/desk/offline-scans`` takes it in. Layouts: docs/interfaces/codes.md.
"""

import argparse
import base64
import binascii
import hashlib
import http.client
import json
import os
import re
import struct
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

KEYS_PATH = "/.well-known/yimatong/code-keys.json"
REVOCATIONS_PATH = "/.well-known/yimatong/code-revocations"
LIFE_SECONDS = 60
SKEW_SECONDS = 30
LONGEST = 400
TIMEOUT_SECONDS = 10
FIRST_PREVIOUS = "0" * 64

_SHAPE = re.compile(r"([0-9A-F]{64}):([01])(?::([A-Za-z0-9_-]{0,256}))?(?::([0-9A-Za-z]{4,32}))?")
_HEAD = struct.Struct(">2s4sIH12s")
_CERTIFICATE = struct.Struct(">4sIIH32s")
_MOMENT = struct.Struct(">I12s")
_LENGTHS = {b"\x01D": 88, b"\x01C": 88, b"\x01P": 108, b"\x02D": 192}

TerminalKey = Ed25519PrivateKey | EllipticCurvePrivateKey


class Refused(Exception):
    """A code or what it is checked with does not hold. ``code``: as in the platform's list of refusals."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TrustStale(Exception):
    """The key set or the revocation list is too old or not genuine: without new ones nothing can be read."""


class QueueBroken(Exception):
    """The file of the queue was changed, or entries are missing from it."""


@dataclass(frozen=True)
class Trust:
    """What codes are checked with. ``dead`` and ``raised`` hold the first 8 bytes of SHA-256 of card numbers."""

    issuer: str
    keys: Mapping[str, tuple[Ed25519PublicKey, int | None]]
    dead: frozenset[bytes]
    raised: Mapping[bytes, int]
    expires_at: int


@dataclass(frozen=True)
class Reading:
    """Which card a genuine code is for. ``kind``: D, or S, which proves nothing without the patient's document."""

    kind: str
    card_number: str
    issued_at: int | None = None
    epoch: int | None = None
    nonce: bytes | None = None


def load_trust(key_set: Mapping[str, Any], revocations: str, now: int) -> Trust:
    """Check what was published and make it ready.

    :param key_set: the JSON document at ``KEYS_PATH``; it must come over https or another trusted way.
    :param revocations: the text at ``REVOCATIONS_PATH``.
    :raises TrustStale: out of date, not signed by a key of the set, or of another issuer.
    """
    try:
        keys = {key["kid"]: (_public_key(key["x"]), key.get("exp")) for key in key_set["keys"]}
        claims = _read_revocations(revocations, keys, now)
        dead, raised = _decode(claims["dead"]), _decode(claims["raised"])
        expires_at = min(int(key_set["exp"]), int(claims["exp"]))
        issuer = str(key_set["issuer"])
    except (KeyError, TypeError, ValueError, InvalidSignature, Refused) as error:
        raise TrustStale("the key set or the revocation list is not genuine") from error
    if now >= expires_at or claims["iss"] != issuer:
        raise TrustStale("the key set or the revocation list is out of date")
    return Trust(
        issuer=issuer,
        keys=keys,
        dead=frozenset(dead[at : at + 8] for at in range(0, len(dead), 8)),
        raised={raised[at : at + 8]: int.from_bytes(raised[at + 8 : at + 10]) for at in range(0, len(raised), 10)},
        expires_at=expires_at,
    )


def read_code(trust: Trust, text: str, now: int) -> Reading:
    """Which card the scanned text is for, if it is good now by the desk's clock.

    :raises TrustStale: what it would be checked with is out of date.
    :raises Refused: health_card.code_malformed, code_forged, code_wrong_class, code_expired or code_revoked.
    """
    if now >= trust.expires_at:
        raise TrustStale("the key set or the revocation list is out of date")
    shape = _SHAPE.fullmatch(text) if len(text) <= LONGEST else None
    if shape is None:
        raise Refused("health_card.code_malformed")
    card_number, flag, token, issuer = shape.groups()
    if flag == "1":
        if token or (token is not None and issuer is None):
            raise Refused("health_card.code_malformed")
        reading = Reading("S", card_number)
    elif not token or not issuer:
        raise Refused("health_card.code_malformed")
    else:
        reading = _read_token(trust, _decode(token), f"{card_number}:{issuer}", now)
    if issuer not in {None, trust.issuer}:
        raise Refused("health_card.code_forged")
    _check_in_force(trust, reading)
    return reading


def _read_token(trust: Trust, raw: bytes, owner: str, now: int) -> Reading:
    length = _LENGTHS.get(raw[:2])
    if length is None:
        raise Refused("health_card.code_forged")
    if len(raw) != length:
        raise Refused("health_card.code_malformed")
    card_number = owner.partition(":")[0]
    if raw[0] == 2:
        return _read_device_token(trust, raw, owner, now)
    kind, kid, issued_at, epoch, nonce = _HEAD.unpack(raw[: _HEAD.size])
    _verify(_find_key(trust, kid, now), raw[-64:], b"yimatong.code.v1\0" + raw[:-64] + owner.encode())
    if kind != b"\x01D":
        raise Refused("health_card.code_wrong_class")
    _check_age(issued_at, now)
    return Reading("D", card_number, issued_at, epoch, nonce)


def _nonce_of(text: str) -> bytes | None:
    """What may be used once of a code that was read before; a static one has nothing such."""
    token = [*text.split(":"), ""][2]
    if not token:
        return None
    raw = _decode(token)
    if raw[0] == 1:
        return raw[12:24]
    # A device picks its nonces itself: they count only together with its key.
    return hashlib.sha256(raw[16:48] + raw[116:128]).digest()[:16]


def _read_device_token(trust: Trust, raw: bytes, owner: str, now: int) -> Reading:
    body, signature = raw[2:48], raw[48:112]
    kid, certified_at, expires_at, epoch, public_key = _CERTIFICATE.unpack(body)
    _verify(_find_key(trust, kid, now), signature, b"yimatong.device.v1\0" + body + owner.encode())
    device = Ed25519PublicKey.from_public_bytes(public_key)
    _verify(device, raw[-64:], b"yimatong.code.v2\0" + raw[:-64] + owner.encode())
    issued_at, nonce = _MOMENT.unpack(raw[112:128])
    if not certified_at - SKEW_SECONDS <= issued_at < expires_at:
        raise Refused("health_card.code_expired")
    _check_age(issued_at, now)
    own_nonce = hashlib.sha256(public_key + nonce).digest()[:16]
    return Reading("D", owner.partition(":")[0], issued_at, epoch, own_nonce)


def _find_key(trust: Trust, kid: bytes, now: int) -> Ed25519PublicKey:
    key, expires_at = trust.keys.get(kid.hex(), (None, None))
    if key is None or (expires_at is not None and now >= expires_at):
        raise Refused("health_card.code_forged")
    return key


def _check_age(issued_at: int, now: int) -> None:
    if not issued_at - SKEW_SECONDS <= now <= issued_at + LIFE_SECONDS + SKEW_SECONDS:
        raise Refused("health_card.code_expired")


def _check_in_force(trust: Trust, reading: Reading) -> None:
    short = hashlib.sha256(reading.card_number.encode()).digest()[:8]
    is_old = reading.epoch is not None and reading.epoch < trust.raised.get(short, 0)
    if short in trust.dead or is_old:
        raise Refused("health_card.code_revoked")


def _verify(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> None:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        raise Refused("health_card.code_forged") from None


def _read_revocations(text: str, keys: Mapping[str, tuple[Ed25519PublicKey, int | None]], now: int) -> dict[str, Any]:
    head, body, signature = text.split(".")
    header = json.loads(_decode(head))
    key, expires_at = keys[header["kid"]]
    if header["alg"] != "EdDSA" or header["typ"] != "code-revocations+jwt" or (expires_at and now >= expires_at):
        raise ValueError("another kind of text")
    key.verify(_decode(signature), f"{head}.{body}".encode())
    claims: dict[str, Any] = json.loads(_decode(body))
    return claims


def _public_key(x: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(_decode(x))


def _decode(text: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise Refused("health_card.code_malformed") from None
    if _encode(raw) != text:
        raise Refused("health_card.code_forged")
    return raw


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Queue:
    """What this terminal accepted without the network: a file of one JSON object a line, only ever added to.

    Not for several processes at once: one desk, one queue.

    :param path: the file; made when it is missing.
    :param terminal: the terminal's code at its hospital.
    :param key: the terminal's own private key, Ed25519 or P-256.
    :raises QueueBroken: an entry was changed or is missing.
    """

    def __init__(self, path: Path, terminal: str, key: TerminalKey) -> None:
        self._path, self._terminal, self._key = path, terminal, key
        self.entries: list[dict[str, Any]] = []
        for line in path.read_text().splitlines() if path.exists() else []:
            self._check_next(line)

    def accept(self, trust: Trust, text: str, now: int) -> Reading:
        """Read a code and write it down, durably, before it counts.

        :raises TrustStale, Refused: as ``read_code``.
        :raises Refused: also health_card.code_redeemed, when this terminal accepted it before.
        """
        reading = read_code(trust, text, now)
        if reading.nonce is not None and any(_nonce_of(entry["code"]) == reading.nonce for entry in self.entries):
            raise Refused("health_card.code_redeemed")
        last = self.entries[-1] if self.entries else None
        entry: dict[str, Any] = {
            "sequence": last["sequence"] + 1 if last else 1,
            "previous": hashlib.sha256(self._signed_text(last)).hexdigest() if last else FIRST_PREVIOUS,
            "scanned_at": now,
            "code": text,
        }
        entry["signature"] = _encode(self._sign(self._signed_text(entry)))
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)
        return reading

    def forget_before(self, sequence: int) -> None:
        """Forget what the platform has taken in (its ``next_sequence``), but for the last one, which ties the next."""
        kept = [entry for entry in self.entries if entry["sequence"] >= sequence - 1]
        _write_whole(self._path, "".join(json.dumps(entry) + "\n" for entry in kept))
        self.entries = kept

    def _check_next(self, line: str) -> None:
        try:
            entry = json.loads(line)
            signed, signature = self._signed_text(entry), _decode(entry["signature"])
            last = self.entries[-1] if self.entries else None
            follows = last is None or (
                entry["sequence"] == last["sequence"] + 1
                and entry["previous"] == hashlib.sha256(self._signed_text(last)).hexdigest()
            )
            self._verify(signature, signed)
        except (KeyError, TypeError, ValueError, InvalidSignature, Refused) as error:
            raise QueueBroken(f"entry {len(self.entries) + 1} was changed") from error
        if not follows:
            raise QueueBroken(f"an entry is missing before line {len(self.entries) + 1}")
        self.entries.append(entry)

    def _signed_text(self, entry: Mapping[str, Any]) -> bytes:
        fields = (self._terminal, str(entry["sequence"]), entry["previous"], str(entry["scanned_at"]), entry["code"])
        return b"yimatong.offline-scan.v1\0" + "\n".join(fields).encode()

    def _sign(self, text: bytes) -> bytes:
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(text)
        r, s = decode_dss_signature(self._key.sign(text, ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def _verify(self, signature: bytes, text: bytes) -> None:
        if isinstance(self._key, Ed25519PrivateKey):
            self._key.public_key().verify(signature, text)
            return
        der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        self._key.public_key().verify(der, text, ECDSA(SHA256()))


def refresh(base_url: str, folder: Path, now: int) -> Trust:
    """Bring key set and revocation list from the platform into a folder; what is not good is not kept.

    :raises TrustStale: what was answered does not hold.
    :raises OSError: the platform does not answer.
    """
    key_set, revocations = _get(base_url + KEYS_PATH), _get(base_url + REVOCATIONS_PATH)
    trust = load_trust(json.loads(key_set), revocations, now)
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(folder / "trust.json", json.dumps({"keys": json.loads(key_set), "revocations": revocations}))
    return trust


def load_kept(folder: Path, now: int) -> Trust:
    """What ``refresh`` kept.

    :raises TrustStale: nothing, or out of date.
    """
    try:
        kept = json.loads((folder / "trust.json").read_text())
        return load_trust(kept["keys"], kept["revocations"], now)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TrustStale("nothing was kept: refresh first") from error


def _get(address: str) -> str:
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path)
        reply = connection.getresponse()
        text = reply.read().decode()
    finally:
        connection.close()
    if reply.status != 200:
        raise TrustStale(f"{parts.path} answered {reply.status}")
    return text


def _write_whole(path: Path, text: str) -> None:
    """All or nothing, whatever happens meanwhile."""
    written = path.with_name(path.name + ".new")
    with written.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)


def main() -> int:
    """Refresh, or read a code from standard input and say what it is as JSON."""
    parser = argparse.ArgumentParser(description="Read health card codes without the network.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("refresh")
    fetching.add_argument("base_url")
    fetching.add_argument("folder", type=Path)
    commands.add_parser("read").add_argument("folder", type=Path)
    chosen, now = parser.parse_args(), int(time.time())
    try:
        if chosen.command == "refresh":
            answer: dict[str, Any] = {"good_until": refresh(chosen.base_url.rstrip("/"), chosen.folder, now).expires_at}
        else:
            reading = read_code(load_kept(chosen.folder, now), sys.stdin.read().strip(), now)
            answer = {"kind": reading.kind, "card_number": reading.card_number, "issued_at": reading.issued_at}
    except (Refused, TrustStale, OSError) as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
