"""Texts that have not the shape of a code."""

import json
from collections.abc import Iterator
from typing import Any

from tests.support.code_vectors import GOOD, ISSUER, MALFORMED, bad, code, with_token


def segments() -> Iterator[dict[str, Any]]:
    dynamic = code("shapes")
    token = dynamic.split(":")[2]
    for name, text in (
        ("nothing", ""),
        ("a colon", ":"),
        ("colons", ":::"),
        ("a word", "hello"),
        ("a web address", "https://example.org/?x=1"),
        ("the card alone", GOOD),
        ("no flag", f"{GOOD}:"),
        ("flag 2", f"{GOOD}:2"),
        ("flag 01", f"{GOOD}:01::{ISSUER}"),
        ("no token", f"{GOOD}:0"),
        ("an empty token", f"{GOOD}:0::{ISSUER}"),
        ("no issuer", f"{GOOD}:0:{token}"),
        ("an empty issuer", f"{GOOD}:0:{token}:"),
        ("a short issuer", f"{GOOD}:0:{token}:370"),
        ("a long issuer", f"{GOOD}:0:{token}:{'3' * 33}"),
        ("an issuer with a dash", f"{GOOD}:0:{token}:3703-TEST"),
        ("static with a token", f"{GOOD}:1:{token}:{ISSUER}"),
        ("static, half", f"{GOOD}:1:"),
        ("static, cut", f"{GOOD}:1::"),
        ("a fifth segment", f"{dynamic}:x"),
        ("a colon behind", f"{dynamic}:"),
    ):
        yield bad(f"shape: {name}", text, MALFORMED)


def texts() -> Iterator[dict[str, Any]]:
    dynamic = code("shapes")
    token = dynamic.split(":")[2]
    for name, text in (
        ("segments turned", ":".join(reversed(dynamic.split(":")))),
        ("card in small letters", dynamic.replace(GOOD, GOOD.lower())),
        ("card in both cases", f"{GOOD[:32]}{GOOD[32:].lower()}:1"),
        ("card too short", f"{GOOD[1:]}:1"),
        ("card too long", f"0{GOOD}:1"),
        ("card no hexadecimal", f"{'G' * 64}:1"),
        ("a space before", f" {dynamic}"),
        ("a space behind", f"{dynamic} "),
        ("a line end behind", f"{dynamic}\n"),
        ("static, a line end behind", f"{GOOD}:1\n"),
        ("CR and LF behind", f"{dynamic}\r\n"),
        ("a NUL behind", f"{dynamic}\x00"),
        ("a token of 257", with_token(dynamic, "A" * 257)),
        ("400 and one", dynamic + "A" * (401 - len(dynamic))),
        ("4000 digits", "9" * 4000),
        ("a long token", with_token(dynamic, token * 30)),
        ("twice", dynamic + dynamic),
        ("two lines", f"{dynamic}\n{dynamic}"),
        ("JSON", json.dumps({"code": dynamic})),
        ("percent encoding", dynamic.replace(":", "%3A")),
        ("SQL", f"{GOOD}:1' OR '1'='1"),
        ("a template", "{{7*7}}:1"),
    ):
        yield bad(f"shape: {name}", text, MALFORMED)


def letters() -> Iterator[dict[str, Any]]:
    dynamic = code("shapes")
    token = dynamic.split(":")[2]
    wide = str.maketrans("0123456789ABCDEF:", "０１２３４５６７８９ＡＢＣＤＥＦ：")
    for name, text in (
        ("a byte order mark before", f"\ufeff{dynamic}"),
        ("a zero-width space", f"{GOOD}\u200b:1"),
        ("full-width colons", dynamic.replace(":", "：")),
        ("full-width card", f"{GOOD.translate(wide)}:1"),
        ("full-width static", f"{GOOD}:1".translate(wide)),
        ("full-width flag", f"{GOOD}:１"),
        ("full-width token", with_token(dynamic, "".join(chr(ord(letter) + 0xFEE0) for letter in token))),
        ("an Arabic digit", f"{GOOD}:\u0661"),
        ("a superscript", f"{GOOD}:¹"),
        ("a fraction slash", dynamic.replace(":", "\u2236")),
    ):
        yield bad(f"shape: {name}", text, MALFORMED)
