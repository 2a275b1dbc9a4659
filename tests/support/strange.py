"""Values and bodies that no schema foresees: for requests that must be refused, and must break nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from flask.testing import FlaskClient
from hypothesis import strategies as st
from werkzeug.test import TestResponse

# JSON that PostgreSQL, Python or UTF-8 cannot hold, or that is read in more than one way.
_SAMPLES: tuple[Any, ...] = (
    None,
    True,
    "",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "\u202e张",
    "𠮷" * 9,
    "9" * 4000,
    "张" * 20_000,
    -1,
    0,
    2**31,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    0.1,
    1e308,
    [],
    {},
    [[]],
    ["\0"],
    {"\0": "\0"},
    {"": {"\ud800": 1}},
    "2026-02-30",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:60+23:59",
    "0001-01-01T00:00:00+14:00",
    "00000000-0000-0000-0000-000000000000",
    "2026-03-05T08:30:00",
    "%00",
    "../../etc/passwd",
    "' OR 1=1 --",
    "{{7*7}}",
    "=1+1",
)
VALUES = [json.dumps(value) for value in _SAMPLES] + [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "1E-999",
    "-0",
    "1" * 5000,
    "[" * 900 + "]" * 900,
    "[" * 9 + "1" + "]" * 9,
]

BODIES: list[bytes] = [
    b"",
    b"\0",
    b"null",
    b"0",
    b'"text"',
    b"[]",
    b"{",
    b'{"a": 1, "a": 2}',
    b'{"a": 1}{"a": 1}',
    b"\xff\xfe{\0}\0",
    b"\xef\xbb\xbf{}",
    b'{"name": "\xff"}',
    b'{"name": "\xed\xa0\x80"}',
    b"[" * 100_000,
    b'{"a":' * 20_000,
    b"1" * 10_000,
    "{}".encode("utf-16"),
    "{}".encode("utf-32"),
]

CONTENT_TYPES = [
    "application/json",
    "application/json; charset=utf-16",
    "application/json; charset=nothing",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    'multipart/related; type="application/dicom"',
    "application/x-www-form-urlencoded",
    "application/fhir+json; fhirVersion=9.9",
    "application/",
    ";;;",
    "",
]

QUERIES = [
    "%00",
    "%FF%FE",
    "%ED%A0%80",
    "a=1&a=2",
    "=",
    "&&&",
    "limit=1&limit=2",
    "limit=1e3",
    "limit=99999999999999999999",
    "limit=-1",
    "limit=%00",
    "before=%00",
    "before=x",
    "before=00000000-0000-0000-0000-000000000000",
    "after=%00",
    "text=%25_%5C",
    "text=%00",
    "since=9999-12-31T23:59:59%2B00:00",
    "since=0001-01-01T00:00:00%2B14:00&until=0001-01-01T00:00:00%2B14:00",
    "occurred_from=0001-01-01T00:00:00%2B14:00",
    "occurred_until=9999-12-31T23:59:59-14:00",
    "person_id=%00",
    "stage=%00",
    "kind[]=report",
    "x=" + "y" * 9000,
]

SEGMENTS = ["%00", "%FF", "%ED%A0%80", "..", "%2e%2e%2f", "x" * 3000, "张", "0", "-1", "9" * 40, "%20", "'"]

HEADERS: list[dict[str, str]] = [
    {},
    {"Content-Type": "text/plain"},
    {"Accept": "nothing"},
    {"Accept": "*/*;q=x"},
    {"Accept": 'application/dicom+json, multipart/related; type="application/dicom"'},
    {"Accept-Language": "zh" * 500},
    {"Idempotency-Key": "x" * 129},
    {"Idempotency-Key": "\xff" * 9},
    {"DPoP": "a.b.c"},
    {"DPoP": "\xff"},
    {"If-Match": 'W/"99999999999999999999"'},
    {"If-Match": "*"},
    {"If-None-Exist": "identifier=%00"},
    {"If-Modified-Since": "Thu, 99 Foo 0000"},
    {"Range": "bytes=9-1"},
    {"Range": "bytes=-0"},
    {"X-Request-Id": "\x01" * 9},
    {"X-Request-Id": "x" * 5000},
    {"Origin": "http://["},
    {"Cookie": "session=\xff; =; ;;"},
    {"Host": "[::1"},
    {"Content-Encoding": "gzip"},
]


def places(body: Any) -> Iterator[tuple[Any, ...]]:
    """The path to each value of a JSON document."""
    if isinstance(body, dict | list):
        for key, value in body.items() if isinstance(body, dict) else enumerate(body):
            yield (key,)
            yield from ((key, *rest) for rest in places(value))


def put(body: Any, place: tuple[Any, ...], text: str) -> str:
    """The document as JSON, with this JSON text at the place."""
    mark = "\U0010fffe at this place"
    return json.dumps(_replaced(body, place, mark)).replace(json.dumps(mark), text)


def _replaced(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = body.copy()
    copy[place[0]] = _replaced(body[place[0]], place[1:], value)
    return copy


def like(body: Any) -> st.SearchStrategy[bytes]:
    """JSON like this but for one value, or nothing like it."""
    found = list(places(body))
    others = st.sampled_from(BODIES)
    if not found:
        return others
    changed = st.builds(put, st.just(body), st.sampled_from(found), st.sampled_from(VALUES))
    return changed.map(str.encode) | changed.map(str.encode) | others


@dataclass(frozen=True)
class Sent:
    """A request as it goes over the wire; ``path`` and ``query`` are percent-encoded already."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def by(self, client: FlaskClient, headers: dict[str, str]) -> TestResponse:
        """Send it. What stands in ``headers`` is not changed by what is strange."""
        encoded = {name: value.encode("latin-1").decode("latin-1") for name, value in self.headers.items()}
        return client.open(
            f"{self.path}?{self.query}", method=self.method, headers=encoded | headers, data=self.body or None
        )


def twist(sent: Sent, body: Any = None) -> st.SearchStrategy[Sent]:
    """The same request with one thing in it that nobody foresees.

    :param body: the JSON document that it carries.
    """
    kinds = [
        st.sampled_from(QUERIES).map(lambda query: replace(sent, query=query)),
        st.sampled_from(HEADERS).map(lambda headers: replace(sent, headers=sent.headers | headers)),
        st.sampled_from(_segments(sent.path)).map(lambda path: replace(sent, path=path)),
    ]
    if sent.method not in {"GET", "DELETE"}:
        kinds += [like(body).map(lambda changed: replace(sent, body=changed))] * 4
        types = st.sampled_from(CONTENT_TYPES)
        kinds.append(types.map(lambda kind: replace(sent, headers=sent.headers | {"Content-Type": kind})))
    return st.one_of(kinds)


def _segments(path: str) -> list[str]:
    parts = path.split("/")
    return [
        "/".join([*parts[:place], strange, *parts[place + 1 :]])
        for place in range(3, len(parts))
        for strange in SEGMENTS
    ] or [path]
