"""The code's text: genuine ones are read, everything else is refused as malformed or forged, nothing crashes."""

import base64
import secrets
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from health_card import codes
from health_card.refusals import CodeForged, CodeMalformed

ISSUER = "3703TEST"
CARD = "A1" * 32
AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
SIGNER = codes.Signer("00c0ffee", Ed25519PrivateKey.generate())
KEYS = {SIGNER.kid: SIGNER.key.public_key()}


def write(card: str = CARD, epoch: int = 3, issuer: str = ISSUER, signer: codes.Signer = SIGNER) -> str:
    return codes.write_dynamic(signer, card_number=card, epoch=epoch, issuer=issuer, issued_at=AT)


def is_refused(text: str) -> bool:
    """Whether it is refused in one of the two ways; any other exception fails the test."""
    try:
        codes.read_code(text, KEYS, ISSUER)
    except (CodeForged, CodeMalformed):
        return True
    return False


def with_token(text: str, token: str) -> str:
    card, flag, _, issuer = text.split(":")
    return f"{card}:{flag}:{token}:{issuer}"


def raw_token(text: str) -> bytes:
    token = text.split(":")[2]
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(st.binary(min_size=32, max_size=32), st.integers(0, 65535), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_what_was_written_is_read(card: bytes, epoch: int, issued_at: int) -> None:
    number, at = card.hex().upper(), datetime.fromtimestamp(issued_at, UTC)
    text = codes.write_dynamic(SIGNER, card_number=number, epoch=epoch, issuer=ISSUER, issued_at=at)
    read = codes.read_code(text, KEYS, ISSUER)
    assert (read.kind, read.card_number, read.epoch, read.issued_at) == ("D", number, epoch, at)
    assert read.nonce is not None
    assert len(read.nonce) == 12


def test_the_shape_is_the_national_one_and_two_codes_differ() -> None:
    first, second = write(), write()
    assert first != second
    card, flag, _, issuer = first.split(":")
    assert (card, flag, issuer) == (CARD, "0", ISSUER)
    assert len(first) <= codes.LONGEST
    for text in (codes.write_static(CARD, ISSUER), f"{CARD}:1"):
        assert codes.read_code(text, KEYS, ISSUER) == codes.ReadCode("S", CARD)


def test_every_flipped_bit_of_the_token_is_noticed() -> None:
    text = write()
    raw = raw_token(text)
    for place in range(len(raw)):
        for bit in range(8):
            flipped = raw[:place] + bytes([raw[place] ^ (1 << bit)]) + raw[place + 1 :]
            assert is_refused(with_token(text, encode(flipped))), (place, bit)


def test_every_other_character_anywhere_in_the_text_is_noticed() -> None:
    text = write()
    for place, character in enumerate(text):
        for other in {"0", "1", "A", "z", "_", ":", "=", "+", " ", "\n", "\0", "人"} - {character}:
            assert is_refused(text[:place] + other + text[place + 1 :]), (place, other)


def test_every_cut_and_every_addition_is_noticed() -> None:
    text = write()
    for length in range(len(text)):
        assert is_refused(text[:length])
        assert is_refused(text[length + 1 :])
    for extra in ("\n", " ", ":", "=", "A", "\0", ":x", "测"):
        assert is_refused(text + extra)
        assert is_refused(extra + text)


def test_one_token_has_one_text() -> None:
    """Base64 has several texts for the same bytes; only the one that was written counts."""
    text = write()
    token, raw = text.split(":")[2], raw_token(text)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same_bytes = [
        token[:-1] + last
        for last in alphabet
        if base64.urlsafe_b64decode(token[:-1] + last + "=" * (-len(token) % 4)) == raw and last != token[-1]
    ]
    malleated = [*same_bytes, token + "=", token + "==", token.replace("-", "+").replace("_", "/") + "\n"]
    malleated += [token[:40] + "\n" + token[40:], token[:40] + "." + token[40:], "A" + token, token + "A", token + "AA"]
    assert all(is_refused(with_token(text, other)) for other in malleated)
    assert len(raw) % 3 == 0 or same_bytes


@pytest.mark.parametrize(
    "text",
    [
        write(issuer="3702TEST"),
        write(issuer="3702TEST").replace("3702TEST", ISSUER),
        write(card="B2" * 32).replace("B2" * 32, CARD),
        write(signer=codes.Signer("00c0ffee", Ed25519PrivateKey.generate())),
        write(signer=codes.Signer("deadbeef", SIGNER.key)),
        codes.write_static(CARD, "3702TEST"),
        with_token(write(), encode(bytes(88))),
        with_token(write(), encode(secrets.token_bytes(88))),
    ],
)
def test_what_is_not_ours_is_forged(text: str) -> None:
    with pytest.raises(CodeForged) as refused:
        codes.read_code(text, KEYS, ISSUER)
    assert refused.value.code == "health_card.code_forged"


@pytest.mark.parametrize("place", [0, 1])
def test_another_version_or_class_is_refused_even_when_it_is_signed(place: int) -> None:
    head = bytearray(raw_token(write())[:24])
    head[place] ^= 3
    signature = SIGNER.key.sign(codes._signed_text(codes._CODE_DOMAIN, bytes(head), CARD, ISSUER))
    assert is_refused(with_token(write(), encode(bytes(head) + signature)))


def test_a_signature_for_another_purpose_is_no_codes() -> None:
    head = raw_token(write())[:24]
    for signed in (head + f"{CARD}:{ISSUER}".encode(), b"other.v1\0" + head + f"{CARD}:{ISSUER}".encode()):
        assert is_refused(with_token(write(), encode(head + SIGNER.key.sign(signed))))


def test_a_killed_key_verifies_nothing() -> None:
    with pytest.raises(CodeForged):
        codes.read_code(write(), {}, ISSUER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        ":::",
        CARD,
        f"{CARD}:",
        f"{CARD}:2",
        f"{CARD}:0",
        f"{CARD}:0::{ISSUER}",
        f"{CARD}:1:{ISSUER}",
        f"{CARD}:1:x:{ISSUER}",
        f"{CARD}:1:",
        f"{CARD}:1::",
        f"{CARD}:1::{ISSUER}:",
        f"{CARD.lower()}:1",
        f"{CARD[:-1]}:1",
        f"{CARD}0:1",
        f"{CARD}：1",
        f"{CARD}:1\n",
        f"{'Ａ' * 64}:1",
        f"{CARD}:0:{'A' * 257}:{ISSUER}",
        "https://example.org/pay?x=1",
        "9" * 4000,
    ],
)
def test_what_has_not_the_shape_is_malformed(text: str) -> None:
    with pytest.raises(CodeMalformed) as refused:
        codes.read_code(text, KEYS, ISSUER)
    assert refused.value.code == "health_card.code_malformed"


hostile = st.one_of(
    st.text(max_size=420),
    st.lists(st.sampled_from([CARD, "B2" * 32, ":", "0", "1", ISSUER, "3702TEST", "AAAA", "=", "\n"]), max_size=9).map(
        "".join
    ),
    st.binary(max_size=192).map(lambda raw: f"{CARD}:0:{encode(raw)}:{ISSUER}"),
    st.binary(min_size=88, max_size=88).map(lambda raw: f"{CARD}:0:{encode(raw)}:{ISSUER}"),
)


@given(hostile)
@settings(max_examples=600, deadline=None)
def test_nothing_that_was_not_written_here_opens_a_card(text: str) -> None:
    try:
        read = codes.read_code(text, KEYS, ISSUER)
    except (CodeForged, CodeMalformed):
        return
    assert read.kind == "S", text
    assert text in {f"{read.card_number}:1", codes.write_static(read.card_number, ISSUER)}
