"""Reading HL7 v2."""

import pytest

from records.hl7v2.parsing import Coding, find_control_id, read_message
from records.hl7v2.refusals import MessageUnreadable


def header(charset: str = "UNICODE UTF-8", application: str = "LIS") -> str:
    return f"MSH|^~\\&|{application}|H1|||20260305||ORU^R01|K1|P|2.5.1||||||{charset}"


def read(body: str, charset: str = "utf-8") -> list[str]:
    message = read_message(body.encode(charset))
    return [message.segments[1].text(number) for number in (1, 2)]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_line_end_is_understood(end: str) -> None:
    assert read(f"{header()}{end}NTE|1|葡萄糖{end}{end}") == ["1", "葡萄糖"]


@pytest.mark.parametrize("name", ["GB 18030-2000", "gb18030", "GBK", "GB2312"])
def test_gb18030_is_read_even_where_its_bytes_look_like_separators(name: str) -> None:
    # In GB18030 these characters end in the bytes of |, ^, ~ and a backslash.
    text = "".join(bytes([0x81, low]).decode("gb18030") for low in (0x7C, 0x5E, 0x7E, 0x5C)) + "㐀龘"
    body = f"{header(name, application=text)}\rNTE|1|{text}\r"
    message = read_message(body.encode("gb18030"))
    assert (message.coding.charset, message.segments[1].text(2)) == ("gb18030", text)
    assert message.header.component(3) == text


def test_an_empty_character_set_means_utf_8() -> None:
    assert read(f"{header('')}\rNTE|1|葡萄糖") == ["1", "葡萄糖"]


def test_escapes_are_resolved() -> None:
    sent = r"a\F\b\S\c\T\d\R\e\E\f\.br\g\H\h\N\i\XE4BDA0\j\Zx\k"
    assert read(f"{header()}\rNTE|1|{sent}") == ["1", "a|b^c&d~e\\f\nghi你j\\Zx\\k"]


def test_writing_and_reading_are_inverse() -> None:
    coding = Coding()
    text = "a|b^c&d~e\\f 你好"
    assert coding.unescape(coding.write(text)) == text
    assert not set("|^&~") & set(coding.write(text))


def test_odd_separators_are_taken_from_the_message() -> None:
    body = "MSH#*+!%#LIS#H1###20260305##ORU*R01#K1#P#2.5.1\rPID#1##A|1*x!S!y**H1*PI+B2"
    message = read_message(body.encode())
    assert message.segments[1].repetitions(3) == [["A|1", "x*y", "", "H1", "PI"], ["B2"]]
    assert message.header.component(9, 2) == "R01"


def test_separators_that_a_message_does_not_name_are_none() -> None:
    message = read_message(b"MSH|^|LIS|H1|||20260305||ORU^R01|K1|P|2.5.1\rPID|1||A~B\\F\\C&D^x")
    assert message.segments[1].repetitions(3) == [["A~B\\F\\C&D", "x"]]


def test_what_is_missing_or_null_is_empty() -> None:
    message = read_message(f'{header()}\rPID|1|""'.encode())
    assert [message.segments[1].text(number) for number in (2, 3, 99)] == ["", "", ""]
    assert message.segments[1].component(3, 5) == ""


UNREADABLE = [
    b"",
    b"\r\r",
    b"hello",
    b"PID|1\r",
    b"MSH",
    b"MSHA^~\\&A",
    b"MSH|",
    b"MSH|^^~&|LIS|H1|||1||ORU^R01|K1|P|2.5.1",
    b"MSH||LIS|H1|||1||ORU^R01|K1|P|2.5.1",
    b"FHS|^~\\&|LIS\rMSH|^~\\&|LIS|H1|||1||ORU^R01|K1|P|2.5.1",
    b"MSH|^~\\&|LIS|H1|||1||ORU^R01||P|2.5.1",
    "MSH|^~\\&|LIS|H1|||1||ORU^R01|你好|P|2.5.1".encode(),
    f"{header('8859/1')}\r".encode(),
    f"{header('UNICODE UTF-8')}\rNTE|1|葡萄糖".encode("gb18030"),
    f"{header('ASCII')}\rNTE|1|葡萄糖".encode(),
    f"{header('')}\rNTE|1|葡萄糖".encode("gb18030"),
    f"{header()}\rnte|1".encode(),
    f"{header()}\rNTE|1|\0".encode(),
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_is_no_message_is_unreadable(body: bytes) -> None:
    with pytest.raises(MessageUnreadable):
        read_message(body)


def test_a_hexadecimal_escape_cannot_smuggle_in_what_cannot_be_kept() -> None:
    assert read(f"{header()}\rNTE|1|a\\X00\\b") == ["1", "ab"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"MSH|^~\\&|LIS|\xff|||1||ORU^R01|K-1.x|P|2.5.1", "K-1.x"),
        (b"MSH|^~\\&|LIS|H1|||1||ORU^R01|a<b|P|2.5.1", ""),
        (b"MSH|^~\\&", ""),
        (b"MSH", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_the_control_id_is_looked_for_even_in_what_cannot_be_read(body: bytes, found: str) -> None:
    assert find_control_id(body) == found
