"""The signature and the form of the envelope."""

import json
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health_card.tencent.envelope import MOST_BYTES, read_envelope
from health_card.tencent.refusals import BodyNotUtf8, BodyTooLarge, BodyUnreadable
from tests.support.tencent import sign

SECRET = "8c8e763f443ef983ac33aef1c7085cfb"
VECTOR = {
    "commonIn": {
        "appToken": "",
        "requestId": "DB4D975748A84309977EA25224C0F5CF",
        "hospitalId": "90003",
        "timestamp": "1525392000",
        "sign": "TsccMUMTHfOiEovR2hMlRXcQqctRFmPbpPIZdxXCJ/o=",
    },
    "req": {"appId": "a1a2e0bde41574ad8ea9a4bb58022oop"},
}


def body_of(envelope: Any) -> bytes:
    return json.dumps(envelope, ensure_ascii=False).encode()


def test_the_first_published_signature() -> None:
    envelope = read_envelope(body_of(VECTOR))
    assert envelope.sign(SECRET) == VECTOR["commonIn"]["sign"]
    assert envelope.is_signed_with(SECRET)
    assert not envelope.is_signed_with(SECRET[:-1])


def test_the_second_published_signature() -> None:
    envelope = read_envelope(b'{"commonIn": {"channelNum": 0}, "req": {}}')
    assert envelope.sign("secret") == "izPY5tjxkXETiFSV03ck5ImGpUv2fvK8aHcFrDebzc4="


def test_openssl_agrees() -> None:
    text = "appId=a1a2e0bde41574ad8ea9a4bb58022oop&hospitalId=90003&requestId=DB4D975748A84309977EA25224C0F5CF"
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-binary"],
        input=f"{text}&timestamp=1525392000{SECRET}".encode(),
        capture_output=True,
        check=True,
    )
    encoded = subprocess.run(["openssl", "base64"], input=made.stdout, capture_output=True, check=True)
    assert encoded.stdout.decode().strip() == VECTOR["commonIn"]["sign"]


@pytest.mark.parametrize(
    "nested",
    [
        '{"motherName": "李测试",  "parity": "1"}',
        '{"parity":"1","motherName":"李测试"}',
        '[{"b": 1, "a": [true, null]}]',
    ],
)
def test_a_nested_object_is_signed_as_sent_or_without_spaces_or_sorted(nested: str) -> None:
    compact = json.dumps(json.loads(nested), ensure_ascii=False, separators=(",", ":"))
    in_order = json.dumps(json.loads(nested), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for text in (nested, compact, in_order):
        signature = sign({"requestId": "R", "childInfo": text}, SECRET)
        common = {"requestId": "R", "sign": signature}
        body = f'{{"commonIn": {json.dumps(common)}, "req": {{ "childInfo" : {nested} }} }}'
        assert read_envelope(body.encode()).is_signed_with(SECRET), text


def test_null_and_empty_are_not_signed_but_zero_and_false_are() -> None:
    body = '{"commonIn": {"requestId": "R", "sign": ""}, "req": {"a": null, "b": "", "c": 0, "d": false, "e": 1.50}}'
    assert read_envelope(body.encode()).sign("s") == sign({"requestId": "R", "c": "0", "d": "false", "e": "1.50"}, "s")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"commonIn=1",
        b"[]",
        b'"commonIn"',
        b'{"commonIn": {}}',
        b'{"commonIn": {}, "req": []}',
        b'{"commonIn": {}, "req": {}, "more": 1}',
        b'{"commonIn": {"a": 1}, "req": {"a": 2}}',
        b'{"commonIn": {"a": 1, "a": 2}, "req": {}}',
        b'{"commonIn": {}, "req": {"a": NaN}}',
        b'{"commonIn": {}, "req": {"a": "\\u0000"}}',
        b'{"commonIn": {}, "req": {"a": ["\\ud800"]}}',
        b'{"commonIn": {}, "req": {"a": ' + b"9" * 5000 + b"}}",
        b'{"commonIn": {}, "req": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        read_envelope(body)


def test_only_utf8_of_some_size() -> None:
    with pytest.raises(BodyNotUtf8):
        read_envelope(json.dumps({"commonIn": {}, "req": {"name": "张测试"}}, ensure_ascii=False).encode("gb18030"))
    with pytest.raises(BodyTooLarge):
        read_envelope(b" " * (MOST_BYTES + 1))
    assert read_envelope(b"\xef\xbb\xbf" + body_of(VECTOR)).is_signed_with(SECRET)


NAMES = st.text("abcABC1_é中", min_size=1, max_size=6)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
SENT = st.dictionaries(
    NAMES, TEXTS | st.integers() | st.booleans() | st.none() | st.dictionaries(NAMES, TEXTS | st.lists(TEXTS))
)


@given(SENT, st.sampled_from([None, 2]), st.booleans())
def test_what_another_client_signs_holds_and_any_change_breaks_it(
    sent: dict[str, Any], indent: int | None, is_ascii: bool
) -> None:
    signature = sign({f"r{name}": value for name, value in sent.items()} | {"requestId": "R"}, SECRET)
    req = {f"r{name}": value for name, value in sent.items()}
    body = {"commonIn": {"requestId": "R", "sign": signature}, "req": req}
    text = json.dumps(body, ensure_ascii=is_ascii, indent=indent)
    assert read_envelope(text.encode()).is_signed_with(SECRET)
    changed = {"commonIn": {"requestId": "R", "sign": signature}, "req": req | {"added": "x"}}
    assert not read_envelope(body_of(changed)).is_signed_with(SECRET)
