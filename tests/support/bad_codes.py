"""Bad codes, each with the refusal it must meet: ``python -m tests.support.bad_codes`` writes the file of vectors."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.support.bad_shapes import letters, segments, texts
from tests.support.code_vectors import (
    AMOUNT_FEN,
    BEING_MADE,
    CANCELLED,
    CERTIFICATE,
    CODE,
    CURRENT,
    DAY,
    DEVICE_CODE,
    EPOCH,
    EXPIRED,
    FORGED,
    GOOD,
    ISSUER,
    KILLED,
    LOST,
    MALFORMED,
    NEVER,
    NOW,
    ORDER,
    OTHER,
    OVER,
    PAYEE,
    PHONE,
    RAISED,
    RAISED_EPOCH,
    REDEEMED,
    REPLACED,
    RETIRED,
    REVOKED,
    REVOKED_PHONE,
    STRANGER,
    UNKNOWN_PHONE,
    WRONG_CLASS,
    bad,
    certificate,
    code,
    device_code,
    encode,
    good_codes,
    key_set,
    raw_of,
    revocations,
    stale_trusts,
    with_raw,
    with_token,
)

FILE = Path(__file__).resolve().parents[1] / "health_card" / "vectors" / "codes.json"


def build() -> dict[str, Any]:
    """Everything in the file."""
    return {
        "issuer": ISSUER,
        "now": NOW,
        "key_set": key_set(),
        "revocations": revocations(),
        "good": list(good_codes()),
        "bad": [
            found
            for group in (
                segments,
                texts,
                letters,
                cuts,
                flips,
                signatures,
                encodings,
                strangers,
                times,
                cards,
                classes,
                payments,
                replays,
                devices,
            )
            for found in group()
        ],
        "stale_trusts": list(stale_trusts()),
    }


def cuts() -> Iterator[dict[str, Any]]:
    for kind, text in (("D", code("cuts")), ("phone", device_code("cuts phone"))):
        raw = raw_of(text)
        for length in (2, 3, 24, 25, 40, 56, 63, 64, 86, 87, 88, 108, 110, 112, 128, 160, 190, 191):
            if length < len(raw):
                yield bad(f"cut: {kind} after {length} bytes", with_raw(text, raw[:length]), MALFORMED)
        yield bad(f"cut: {kind} after its version", with_raw(text, raw[:1]), FORGED)
        yield bad(f"cut: {kind} before its version", with_raw(text, raw[1:]), FORGED)
    dynamic = code("cuts")
    for more in (1, 4, 20, 104):
        yield bad(f"cut: {more} bytes more", with_raw(dynamic, raw_of(dynamic) + bytes(more)), MALFORMED)
    yield bad("cut: a letter less", with_token(dynamic, dynamic.split(":")[2][:-1]), MALFORMED)


def flips() -> Iterator[dict[str, Any]]:
    for kind, text in (("D", code("flips")), ("phone", device_code("flips phone"))):
        raw = raw_of(text)
        for place in sorted({0, *range(2, len(raw), 5), len(raw) - 1}):
            flipped = raw[:place] + bytes([raw[place] ^ (1 << place % 8)]) + raw[place + 1 :]
            if flipped[:2] not in {b"\x01D", b"\x02D"} or flipped[0] == raw[0]:
                yield bad(f"flip: {kind}, a bit of byte {place}", with_raw(text, flipped), FORGED)


def signatures() -> Iterator[dict[str, Any]]:
    text = code("signatures")
    raw = raw_of(text)
    signed, r, s = raw[:-64], raw[-64:-32], raw[-32:]
    malleated = (int.from_bytes(s, "little") + ORDER).to_bytes(32, "little")
    for name, signature in (
        ("S plus the order of the group", r + malleated),
        ("S turned", r + ((ORDER - int.from_bytes(s, "little")) % ORDER).to_bytes(32, "little")),
        ("R turned", r[:-1] + bytes([r[-1] ^ 0x80]) + s),
        ("halves exchanged", s + r),
        ("zeros", bytes(64)),
        ("ones", b"\xff" * 64),
        ("the neutral element", b"\x01" + bytes(63)),
        ("of another code", raw_of(code("signatures, another"))[-64:]),
        ("of another card", raw_of(code("signatures", OTHER))[-64:]),
        ("of the bytes alone", CURRENT.sign(signed)),
        ("without its domain", CURRENT.sign(signed + f"{GOOD}:{ISSUER}".encode())),
        ("of the domain of certificates", CURRENT.sign(CERTIFICATE + signed + f"{GOOD}:{ISSUER}".encode())),
        ("of the domain of phones' codes", CURRENT.sign(DEVICE_CODE + signed + f"{GOOD}:{ISSUER}".encode())),
        ("of another issuer", CURRENT.sign(CODE + signed + f"{GOOD}:3702TEST".encode())),
        ("of no issuer", CURRENT.sign(CODE + signed + f"{GOOD}:".encode())),
        ("of the hash", CURRENT.sign(hashlib.sha512(CODE + signed + f"{GOOD}:{ISSUER}".encode()).digest())),
    ):
        yield bad(f"signature: {name}", with_raw(text, signed + signature), FORGED)


def encodings() -> Iterator[dict[str, Any]]:
    text = code("encodings")
    token, raw = text.split(":")[2], raw_of(text)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for last in alphabet:
        other = token[:-1] + last
        if last != token[-1] and base64.urlsafe_b64decode(other + "==") == raw:
            yield bad(f"encoding: spare bits, last letter {last}", with_token(text, other), FORGED)
    for name, other, expected in (
        ("padding", f"{token}==", MALFORMED),
        ("a padding sign", f"{token}=", MALFORMED),
        ("the alphabet with + and /", base64.b64encode(b"\xfb\xff" + raw).decode().rstrip("="), MALFORMED),
        ("hexadecimal", raw.hex(), FORGED),
        ("base32", base64.b32encode(raw).decode().rstrip("="), MALFORMED),
        ("letters of the other case", token.swapcase(), FORGED),
        ("a line end inside", f"{token[:40]}\n{token[40:]}", MALFORMED),
        ("a space inside", f"{token[:40]} {token[40:]}", MALFORMED),
        ("a dot inside", f"{token[:40]}.{token[40:]}", MALFORMED),
        ("backwards", token[::-1], FORGED),
        ("encoded twice", encode(token.encode()), FORGED),
        ("a percent sign", token[:-1] + "%41", MALFORMED),
    ):
        yield bad(f"encoding: {name}", with_token(text, other), expected)


def strangers() -> Iterator[dict[str, Any]]:
    for name, text in (
        ("a stranger's key under our key's id", code("strangers 1", key=STRANGER, kid=CURRENT.kid)),
        ("a stranger's key", code("strangers 2", key=STRANGER)),
        ("our key under a stranger's id", code("strangers 3", kid=STRANGER.kid)),
        ("our key under the id of the one before", code("strangers 4", kid=RETIRED.kid)),
        ("a killed key", code("strangers 5", key=KILLED)),
        ("a killed key under the id of a living one", code("strangers 6", key=KILLED, kid=CURRENT.kid)),
        ("a key that is over", code("strangers 7", key=OVER)),
        ("no key at all", code("strangers 8", kid="00000000")),
        ("another city, its own key", code("strangers 9", key=STRANGER, issuer="3702TEST")),
        ("another city, our key", code("strangers 10", issuer="3702TEST")),
        ("our code under another city's name", code("strangers 11").replace(ISSUER, "3702TEST")),
        ("another city's code under our name", code("strangers 12", issuer="3702TEST").replace("3702TEST", ISSUER)),
        ("issuer in small letters", code("strangers 13").replace(ISSUER, ISSUER.lower())),
        ("issuer in small letters, signed", code("strangers 14", issuer=ISSUER.lower())),
        ("issuer with more behind it", code("strangers 15").replace(ISSUER, f"{ISSUER}0")),
        ("another card in front", code("strangers 16").replace(GOOD, OTHER)),
        ("static of another city", f"{GOOD}:1::3702TEST"),
        ("static, issuer in small letters", f"{GOOD}:1::{ISSUER.lower()}"),
        ("version 0, signed", code("strangers 17", version=0)),
        ("version 2, shaped as 1, signed", code("strangers 18", version=3)),
        ("class S, signed", code("strangers 19", kind=b"S")),
        ("class d, signed", code("strangers 20", kind=b"d")),
        ("class NUL, signed", code("strangers 21", kind=b"\0")),
        ("a signed certificate's domain", code("strangers 22", domain=CERTIFICATE)),
    ):
        yield bad(f"stranger: {name}", text, FORGED)


def times() -> Iterator[dict[str, Any]]:
    yield bad("time: 61 seconds old", code("times 0", at=NOW - 61), EXPIRED, None)
    for index, offset in enumerate((-91, -120, -3600, -DAY, -30 * DAY, 31, 60, 3600, DAY), 1):
        yield bad(f"time: {offset} seconds", code(f"times {index}", at=NOW + offset), EXPIRED)
    yield bad("time: the year 1970", code("times 20", at=0), EXPIRED)
    yield bad("time: the last second of all", code("times 21", at=2**32 - 1), EXPIRED)
    for index, kind in enumerate((b"C", b"P"), 30):
        use = {"use": "pay", "amount_fen": AMOUNT_FEN} if kind == b"P" else {}
        yield bad(
            f"time: class {kind.decode()}", code(f"times {index}", kind=kind, at=NOW - 61), EXPIRED, WRONG_CLASS, **use
        )


def cards() -> Iterator[dict[str, Any]]:
    for name, number in (("lost", LOST), ("cancelled", CANCELLED), ("replaced", REPLACED)):
        yield bad(f"card: {name}", code(f"cards {name}", number), REVOKED)
        yield bad(f"card: {name}, of a phone", device_code(f"cards {name}", number), REVOKED)
        yield bad(f"card: {name}, static", f"{number}:1::{ISSUER}", REVOKED, certificate=number)
        yield bad(f"card: {name}, static and short", f"{number}:1", REVOKED, certificate=number)
    yield bad("card: being made", code("cards made", BEING_MADE), REVOKED, None)
    yield bad("card: never issued", code("cards never", NEVER), FORGED, None)
    yield bad("card: never issued, static", f"{NEVER}:1", FORGED, None, certificate=GOOD)
    for epoch in (0, RAISED_EPOCH - 1):
        yield bad(f"card: codes ended, epoch {epoch}", code(f"cards {epoch}", RAISED, epoch=epoch), REVOKED)
        certified = certificate(RAISED, epoch=epoch)
        text = device_code(f"cards {epoch} phone", RAISED, certified=certified)
        yield bad(f"card: codes ended, a phone's epoch {epoch}", text, REVOKED)
    yield bad("card: an epoch to come", code("cards to come", epoch=EPOCH + 1), REVOKED, None)
    yield bad("card: static without a certificate", f"{GOOD}:1::{ISSUER}", "health_card.second_factor_missing", None)
    for name, certificate_of in (("another person's certificate", OTHER), ("no certificate at all", "x")):
        yield bad(
            f"card: static with {name}",
            f"{GOOD}:1",
            "health_card.second_factor_wrong",
            None,
            certificate=certificate_of,
        )


def classes() -> Iterator[dict[str, Any]]:
    yield bad("class: P at a desk", code("classes P", kind=b"P"), WRONG_CLASS)
    yield bad("class: C without the network", code("classes C", kind=b"C"), None, WRONG_CLASS)
    for name, text in (
        ("D", code("classes D pays")),
        ("C", code("classes C pays", kind=b"C")),
        ("S", f"{GOOD}:1::{ISSUER}"),
        ("a phone's D", device_code("classes phone pays")),
    ):
        yield bad(f"class: {name} pays", text, WRONG_CLASS, None, use="pay", amount_fen=AMOUNT_FEN)
    for name, kind, other in (("D", b"D", b"C"), ("C", b"C", b"D"), ("D", b"D", b"S")):
        raw = raw_of(code(f"classes {name} to {other!r}", kind=kind))
        text = with_raw(code("classes"), raw[:1] + other + raw[2:])
        yield bad(f"class: {name} made {other.decode()}", text, FORGED)
    payment = code("classes cut", kind=b"P")
    raw = raw_of(payment)
    yield bad("class: P made D", with_raw(payment, raw[:1] + b"D" + raw[2:24] + raw[-64:]), FORGED)
    yield bad("class: P made D, whole", with_raw(payment, raw[:1] + b"D" + raw[2:]), MALFORMED)
    yield bad("class: D made P", with_raw(payment, b"\x01P" + raw_of(code("classes long"))[2:]), MALFORMED)


def payments() -> Iterator[dict[str, Any]]:
    def pays(name: str, text: str, expected: str, amount_fen: int = AMOUNT_FEN, **more: Any) -> dict[str, Any]:
        return bad(f"payment: {name}", text, expected, None, use="pay", amount_fen=amount_fen, **more)

    differs = "health_card.payment_differs"
    for amount_fen in (AMOUNT_FEN - 1, AMOUNT_FEN + 1, AMOUNT_FEN * 10, AMOUNT_FEN * 100, 0, 2**32 + AMOUNT_FEN):
        yield pays(f"captured for {amount_fen}", code(f"payments {amount_fen}", kind=b"P"), differs, amount_fen)
    for amount_fen in (0, 1, AMOUNT_FEN - 1, 2**32 - 1):
        yield pays(f"made for {amount_fen}", code(f"made for {amount_fen}", kind=b"P", amount_fen=amount_fen), differs)
    for payee in (UUID(int=0), UUID(int=PAYEE.int + 1)):
        yield pays(f"made for {payee}", code(f"made for {payee}", kind=b"P", payee=payee), differs)
    raw = raw_of(code("payments flips", kind=b"P"))
    for place in (2, 8, 10, 12, 24, 39, 40, 43, 44, 107):
        flipped = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        yield pays(f"a bit of byte {place}", with_raw(code("payments"), flipped), FORGED)
    yield pays("signed by a stranger", code("payments strange", kind=b"P", key=STRANGER, kid=CURRENT.kid), FORGED)
    yield pays("of a lost card", code("payments lost", LOST, kind=b"P"), REVOKED)
    yield pays("of an earlier epoch", code("payments epoch", RAISED, kind=b"P", epoch=1), REVOKED)
    yield pays("of the future", code("payments future", kind=b"P", at=NOW + 31), EXPIRED)
    yield pays("used before", code("payments replay", kind=b"P"), REDEEMED, is_replay=True)


def replays() -> Iterator[dict[str, Any]]:
    yield bad("replay: dynamic", code("replays D"), REDEEMED, is_replay=True)
    yield bad("replay: made by a phone", device_code("replays phone"), REDEEMED, is_replay=True)
    yield bad("replay: confirmed", code("replays C", kind=b"C"), REDEEMED, None, is_replay=True)


def devices() -> Iterator[dict[str, Any]]:
    def of_phone(name: str, expected: str, offline: str | None = "same", **more: Any) -> dict[str, Any]:
        return bad(f"phone: {name}", device_code(f"devices {name}", **more), expected, offline)

    yield of_phone("expired certificate", EXPIRED, certified=certificate(since=NOW - 3 * DAY, until=NOW - 60))
    yield of_phone("certificate ends as the code begins", EXPIRED, certified=certificate(until=NOW - 5))
    yield of_phone("certificate to come", EXPIRED, certified=certificate(since=NOW + DAY, until=NOW + 2 * DAY))
    yield of_phone("certificate of no time", EXPIRED, certified=certificate(since=NOW + 2 * DAY, until=NOW - DAY))
    yield of_phone("certificate for another card", FORGED, certified=certificate(OTHER))
    yield of_phone("certificate for another phone", FORGED, certified=certificate(phone=UNKNOWN_PHONE))
    yield of_phone("certificate by a stranger", FORGED, certified=certificate(key=STRANGER, kid=CURRENT.kid))
    yield of_phone("certificate by another city", FORGED, certified=certificate(key=STRANGER))
    yield of_phone("certificate by a killed key", FORGED, certified=certificate(key=KILLED))
    yield of_phone("certificate by a key that is over", FORGED, certified=certificate(key=OVER))
    yield of_phone("certificate by the phone itself", FORGED, certified=certificate(key=PHONE, kid=CURRENT.kid))
    yield of_phone("certificate in the domain of codes", FORGED, certified=certificate(domain=CODE))
    yield of_phone("certificate with its epoch changed", FORGED, certified=_changed(certificate(), 13))
    yield of_phone("certificate with its end changed", FORGED, certified=_changed(certificate(), 11))
    yield of_phone("certificate with its key changed", FORGED, certified=_changed(certificate(), 14))
    yield of_phone("signed by another phone", FORGED, phone=UNKNOWN_PHONE)
    yield of_phone("signed by the platform", FORGED, phone=CURRENT)
    yield of_phone("signed in the domain of the platform's codes", FORGED, domain=CODE)
    yield of_phone("signed for another city", FORGED, issuer="3702TEST")
    yield of_phone("claims to be confirmed", FORGED, kind=b"C")
    yield of_phone("claims to pay", FORGED, kind=b"P")
    yield of_phone("version 3", FORGED, version=3)
    yield of_phone("91 seconds old", EXPIRED, at=NOW - 91)
    yield of_phone("31 seconds ahead", EXPIRED, at=NOW + 31)
    yield of_phone("made before its certificate", EXPIRED, at=NOW - DAY - 31)
    yield of_phone("an epoch to come", REVOKED, None, certified=certificate(epoch=EPOCH + 1))
    revoked, unknown = certificate(phone=REVOKED_PHONE), certificate(phone=UNKNOWN_PHONE)
    yield of_phone("revoked", REVOKED, None, phone=REVOKED_PHONE, certified=revoked)
    yield of_phone("certified and forgotten", REVOKED, None, phone=UNKNOWN_PHONE, certified=unknown)
    text = device_code("devices malleated")
    raw = raw_of(text)
    yield bad("phone: S plus the order of the group", with_raw(text, _malleate(raw, len(raw) - 32)), FORGED)
    yield bad("phone: certificate's S plus the order of the group", with_raw(text, _malleate(raw, 80)), FORGED)
    yield bad("phone: another card in front", text.replace(GOOD, OTHER), FORGED)
    yield bad("phone: another issuer behind", text.replace(ISSUER, "3702TEST"), FORGED)
    weak = certificate(phone=PHONE)[:14] + bytes(32)
    yield bad("phone: a key of zeros, not certified", with_raw(text, raw[:2] + weak + raw[48:]), FORGED)


def _changed(raw: bytes, place: int) -> bytes:
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


def _malleate(raw: bytes, at: int) -> bytes:
    s = int.from_bytes(raw[at : at + 32], "little") + ORDER
    return raw[:at] + s.to_bytes(32, "little") + raw[at + 32 :]


def write(document: dict[str, Any]) -> str:
    """The file's text: one code a line."""
    lines = []
    for name, value in document.items():
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(row, ensure_ascii=True) for row in value)
            lines.append(f"{json.dumps(name)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(write(build()))
