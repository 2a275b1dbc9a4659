"""Several messages in one frame (HL7 v2.5.1, section 2.10.3): ``[FHS] {[BHS] {message} [BTS]} [FTS]``.

The envelope is ASCII; each message has a character set of its own. Bytes that end a line stand in no character of
UTF-8 or GB18030, so a batch is taken apart before anything of it is decoded.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core import clock
from records.hl7v2.refusals import MessageUnreadable

MOST_MESSAGES = 1000

_LINE_END = re.compile(rb"\r\n|\r|\n")
_COUNT = re.compile(rb"[0-9]{1,6}")


@dataclass(frozen=True)
class Batch:
    """The messages of one file or batch, as they stand in it. ``name``: the sender's own id of it (BHS-11 or FHS-11).

    ``is_file``: it came with FHS and FTS.
    """

    messages: tuple[bytes, ...]
    name: str
    is_file: bool


def is_batch(body: bytes) -> bool:
    """Whether it begins as a file or batch does."""
    return body.lstrip(b"\r\n").startswith((b"FHS", b"BHS"))


def read_batch(body: bytes) -> Batch:
    """Take a file or batch apart.

    :raises MessageUnreadable: it has no end, counts other messages than it has, or has none, or more than 1,000.
    """
    lines = [line for line in _LINE_END.split(body) if line.strip()]
    heads, messages, ends = [], [], []
    for line in lines:
        match line[:3]:
            case b"FHS" | b"BHS":
                heads.append(line)
            case b"BTS" | b"FTS":
                ends.append(line)
            case b"MSH":
                messages.append([line])
            case _ if messages:
                messages[-1].append(line)
            case _:
                raise MessageUnreadable
    begun, ended = _names(heads), _names(ends)
    if not 0 < len(messages) <= MOST_MESSAGES or (begun, ended) not in _ENVELOPES:
        raise MessageUnreadable
    separator = heads[0][3:4]
    _check_counts(ends, separator, len(messages))
    return Batch(
        tuple(b"\r".join(message) + b"\r" for message in messages),
        _name_of(heads[-1], separator),
        is_file=heads[0].startswith(b"FHS"),
    )


def answer_batch(batch: Batch, answers: Sequence[bytes]) -> bytes:
    """The acknowledgements of a batch's messages, in their order, in an envelope like its own."""
    return b"".join(_enclose(batch, answers))


_ENVELOPES = (
    ([b"FHS", b"BHS"], [b"BTS", b"FTS"]),
    ([b"FHS"], [b"FTS"]),
    ([b"BHS"], [b"BTS"]),
)


def _names(lines: Sequence[bytes]) -> list[bytes]:
    return [line[:3] for line in lines]


def _check_counts(ends: Sequence[bytes], separator: bytes, messages: int) -> None:
    """BTS-1 counts messages, FTS-1 batches. One batch a file is taken; an empty count says nothing."""
    if not separator:
        raise MessageUnreadable
    for line in ends:
        counted = line[3:].split(separator)[1].strip() if separator in line else b""
        expected = messages if line.startswith(b"BTS") else 1
        if counted and (not _COUNT.fullmatch(counted) or int(counted) != expected):
            raise MessageUnreadable


def _name_of(head: bytes, separator: bytes) -> str:
    fields = head.split(separator)
    name = fields[10].strip() if len(fields) > 10 else b""
    return name.decode() if re.fullmatch(rb"[0-9A-Za-z._-]{1,199}", name) else ""


def _enclose(batch: Batch, answers: Sequence[bytes]) -> Iterator[bytes]:
    at = clock.in_city(clock.now()).strftime("%Y%m%d%H%M%S%z")
    head = f"HS|^~\\&|YIMATONG||||{at}|||||{batch.name}\r".encode()
    if batch.is_file:
        yield b"F" + head
    yield b"B" + head
    yield from answers
    yield f"BTS|{len(answers)}\r".encode()
    if batch.is_file:
        yield b"FTS|1\r"
