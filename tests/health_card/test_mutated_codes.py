"""Whatever is changed about a good code, nothing reads it: not the platform, not a desk without the network."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from health_card import codes
from health_card.offline import desk
from health_card.refusals import CodeForged, CodeMalformed
from tests.support import bad_codes
from tests.support import code_vectors as vectors

KEYS = {key.kid: Ed25519PublicKey.from_public_bytes(key.public) for key in (vectors.CURRENT, vectors.RETIRED)}
DOCUMENT: dict[str, Any] = json.loads(bad_codes.FILE.read_text())
TRUST = desk.load_trust(DOCUMENT["key_set"], DOCUMENT["revocations"], vectors.NOW)
GOOD = [
    vectors.code("fuzz D"),
    vectors.code("fuzz C", kind=b"C"),
    vectors.code("fuzz P", kind=b"P"),
    vectors.device_code("fuzz phone"),
]
LETTERS = "ABCDEFabcdef0123456789-_:+/=. \n\0０：人"


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good code with letters changed, dropped, added, exchanged with another's, or bytes of its token changed."""
    text, other = draw(st.sampled_from(GOOD)), draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 3))):
        place, letter = draw(st.integers(0, len(text))), draw(st.sampled_from(LETTERS))
        how = draw(st.sampled_from(["change", "drop", "add", "cross", "byte", "case"]))
        if how == "byte" and text.count(":") == 3:
            try:
                raw = bytearray(vectors.raw_of(text))
            except ValueError:
                continue
            if raw:
                raw[place % len(raw)] ^= draw(st.integers(1, 255))
                text = vectors.with_raw(text, bytes(raw))
            continue
        text = {
            "change": text[:place] + letter + text[place + 1 :],
            "drop": text[:place] + text[place + 1 :],
            "add": text[:place] + letter + text[place:],
            "cross": text[:place] + other[place:],
            "case": text[:place] + text[place:].swapcase(),
        }.get(how, text)
    return text


@given(mutated())
@settings(max_examples=400, deadline=None)
def test_no_mutation_of_a_good_code_is_read(text: str) -> None:
    if text in GOOD:
        return
    try:
        read = codes.read_code(text, KEYS, vectors.ISSUER)
    except (CodeForged, CodeMalformed):
        read = None
    assert read is None, text
    try:
        reading = desk.read_code(TRUST, text, vectors.NOW)
    except desk.Refused:
        reading = None
    assert reading is None, text
