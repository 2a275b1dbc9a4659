"""300 ORU^R01 as laboratory systems in the field write them, each with what must become of it. The same every time."""

import base64
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ITEMS = (
    ("2345-7", "葡萄糖", "mmol/L", "3.9-6.1"),
    ("2823-3", "钾", "mmol/L", "3.5-5.3"),
    ("718-7", "血红蛋白", "g/L", "130-175"),
    ("6690-2", "白细胞计数", "10*9/L", "3.5-9.5"),
    ("X-17", "丙氨酸氨基转移酶", "U/L", "<50"),
    ("X-龘", "罕用字㐀𠀀检查", "", "阴性"),
)


@dataclass(frozen=True)
class Case:
    """``answer``: MSA-1 and our code. ``shown``: the values of each report's results, in order; () when none."""

    name: str
    control_id: str
    body: bytes
    answer: tuple[str, str]
    shown: tuple[tuple[str, ...], ...]
    documents: int = 0


@dataclass
class _Draft:
    """A message while it is written: segments with the usual separators, which are changed at the end."""

    chance: random.Random
    facility: str
    patient: str
    control_id: str

    def __post_init__(self) -> None:
        self.charset, self.declared = "utf-8", "UNICODE UTF-8"
        self.version = self.chance.choice(("2.3.1", "2.4", "2.5", "2.5.1"))
        self.end = "\r"
        self.head = [f"PID|1||{self.patient}^^^{self.facility}^PI", "PV1|1|O|0301^^^"]
        self.rest: list[str] = []
        self.shown: list[list[str]] = []
        self.documents = 0
        self.separators, self.marks = "|^~\\&", "^~\\&"
        self.answer = ("AA", "")

    def order(self, status: str = "F") -> None:
        number = f"{self.control_id}-{len(self.shown)}"
        self.rest.append(
            f"OBR|{len(self.shown) + 1}||{number}^LIS|24323-8^生化全套^LN|||20260305083000|{'|' * 14}20260305100000"
            f"||LAB|{status}"
        )
        self.shown.append([])

    def result(self, kind: str, written: str, shown: str | None, status: str = "F") -> None:
        code, name, unit, usual = self.chance.choice(ITEMS)
        system = "LN" if code[0].isdigit() else "L"
        place = len(self.shown[-1]) + 1
        self.rest.append(f"OBX|{place}|{kind}|{code}^{name}^{system}||{written}|{unit}|{usual}||||{status}")
        if shown is not None:
            self.shown[-1].append(shown)

    def number(self, status: str = "F") -> None:
        value = f"{self.chance.uniform(0, 300):.{self.chance.randrange(4)}f}"
        self.result("NM", value, value, status)

    def finish(self, name: str) -> Case:
        msh = (
            f"MSH|{self.marks}|LIS|{self.facility}|YIMATONG|CITY|20260305100001||ORU^R01|{self.control_id}|P|{self.version}"
            f"||||||{self.declared}"
        )
        text = self.end.join([msh, *self.head, *self.rest]) + self.end
        if self.separators != "|^~\\&":
            text = text.translate(str.maketrans("|^~\\&", self.separators))
        shown = tuple(tuple(values) for values in self.shown) if self.answer[0] == "AA" else ()
        return Case(name, self.control_id, text.encode(self.charset), self.answer, shown, self.documents)


def _panel(draft: _Draft) -> None:
    draft.order()
    for _ in range(draft.chance.randrange(3, 20)):
        draft.number()


def _gb18030(draft: _Draft) -> None:
    draft.charset, draft.declared = "gb18030", draft.chance.choice(("GB 18030-2000", "GB18030", "GBK"))
    _panel(draft)
    draft.result("ST", "镜检可见龘𠀀丂", "镜检可见龘𠀀丂")


def _odd_separators(draft: _Draft) -> None:
    draft.separators = draft.chance.choice(("#*+!%", "$@`?;", "|~^\\&", "!#%'`"))
    draft.order()
    for _ in range(4):
        value = str(draft.chance.randrange(1000))
        draft.result("NM", value, value)


def _escaped(draft: _Draft) -> None:
    draft.order()
    sign, shown = draft.chance.choice(
        (("\\F\\", "|"), ("\\S\\", "^"), ("\\T\\", "&"), ("\\R\\", "~"), ("\\E\\", "\\"), ("\\XE4BDA0\\", "你"))
    )
    draft.result("ST", f"A{sign}B", f"A{shown}B")
    draft.result("FT", "第一行\\.br\\第二行\\H\\重\\N\\", "第一行\n第二行重")
    draft.result("TX", "甲~乙", "甲\n乙")


def _missing(draft: _Draft) -> None:
    _panel(draft)
    missing = draft.chance.choice(("PID", "OBR", "PV1", "OBX"))
    draft.head = [segment for segment in draft.head if not segment.startswith(missing)]
    draft.rest = [segment for segment in draft.rest if not segment.startswith(missing)]
    if missing == "OBX":
        draft.shown = [[]]
    if missing in {"PID", "OBR"}:
        draft.answer = ("AE", "records.message_not_understood")


def _repeated(draft: _Draft) -> None:
    draft.order()
    draft.number()
    draft.rest += [draft.rest[-1]] * 3
    draft.shown[-1] *= 4


def _document(draft: _Draft) -> None:
    _panel(draft)
    pdf = b"%PDF-1.4\n" + draft.chance.randbytes(draft.chance.randrange(500, 60_000)) + b"\n%%EOF\n"
    draft.result("ED", f"^application^PDF^Base64^{base64.b64encode(pdf).decode()}", None)
    draft.documents = 1


def _long(draft: _Draft) -> None:
    draft.order()
    for _ in range(200):
        draft.number()


def _several_orders(draft: _Draft) -> None:
    for place in range(draft.chance.randrange(2, 5)):
        draft.rest.append(f"ORC|RE|P{place}")
        draft.order()
        draft.rest.append("NTE|1|L|标本合格")
        for _ in range(3):
            draft.number()
            draft.rest.append("NTE|1|L|已复查")


def _statuses(draft: _Draft) -> None:
    draft.order(status=draft.chance.choice("CFP"))
    draft.number("C")
    draft.result("NM", "5", "", "D")
    draft.number("P")
    draft.result("NM", "", "", "I")


def _bounds_and_codes(draft: _Draft) -> None:
    draft.order()
    draft.result("SN", ">^200", "200")
    draft.result("SN", "^1^:^128", "1:128")
    draft.result("NM", "<0.010", "0.010")
    draft.result("CE", "POS^阳性^L", "阳性")
    draft.result("CWE", "260385009^阴性^SCT~^^^^^^^^未见异常", "阴性\n未见异常")
    draft.result("TM", "0830", "0830")
    draft.result("DT", "20260305", "20260305")


def _line_ends(draft: _Draft) -> None:
    draft.end = draft.chance.choice(("\n", "\r\n", "\r\r"))
    _panel(draft)


def _own_segments(draft: _Draft) -> None:
    """What a house adds of its own stands anywhere, and says nothing here."""
    _panel(draft)
    own = ("ZPD|1|MZ|汉族", "ZXT", "SPM|1|||SER^血清", "ZDS|^^~\\&", "SFT|厂商|3.1")
    for written in own:
        draft.rest.insert(draft.chance.randrange(1, len(draft.rest) + 1), written)
    draft.head.append("ZPV|1|0301")


def _trailing(draft: _Draft) -> None:
    """Line ends, spaces and fields without anything behind the last segment, and behind each."""
    _panel(draft)
    draft.rest = [written + "|" * draft.chance.randrange(4) for written in draft.rest]
    draft.rest += draft.chance.choice(([""], ["   ", ""], ["\n", "\t"]))


def _garbage(draft: _Draft) -> None:
    """Something behind the message that is no segment: nobody knows what was meant."""
    _panel(draft)
    draft.rest.append(draft.chance.choice(("%%EOF", "obx|1|NM", "\x1a", "--- 完 ---", "OB")))
    draft.answer = ("AR", "records.message_unreadable")


def _few_marks(draft: _Draft) -> None:
    """Only some of the encoding characters are declared: what is not declared separates nothing."""
    draft.marks = draft.chance.choice(("^~", "^~\\", "^~\\&#"))
    draft.order()
    draft.result("ST", "甲&乙", "甲&乙")
    draft.number()


def _bad_marks(draft: _Draft) -> None:
    draft.marks = draft.chance.choice(("^^\\&", "A~\\&", ""))
    _panel(draft)
    draft.answer = ("AR", "records.message_unreadable")


def _bad_value(draft: _Draft) -> None:
    _panel(draft)
    broken = (("NM", "见图"), ("RP", "\\E\\1.pdf"), ("ED", "^x^y^Base64^%%"), ("XX", "1"))
    kind, written = draft.chance.choice(broken)
    draft.result(kind, written, "")
    draft.answer = ("AE", "records.message_not_understood")


def _stranger(draft: _Draft) -> None:
    draft.head[0] = f"PID|1||{draft.chance.choice(('NOBODY', f'{draft.patient}~NOBODY', '^^^^PI'))}"
    _panel(draft)
    draft.answer = ("AE", "records.person_not_matched")


def _wrong_charset(draft: _Draft) -> None:
    _panel(draft)
    wrong = (("gb18030", "UNICODE UTF-8"), ("utf-8", "ASCII"), ("utf-8", "BIG5"))
    draft.charset, draft.declared = draft.chance.choice(wrong)
    draft.answer = ("AR", "records.message_unreadable")


KINDS: tuple[Callable[[_Draft], None], ...] = (
    _panel,
    _gb18030,
    _odd_separators,
    _escaped,
    _missing,
    _repeated,
    _document,
    _several_orders,
    _statuses,
    _bounds_and_codes,
    _line_ends,
    _own_segments,
    _trailing,
    _garbage,
    _few_marks,
    _bad_marks,
    _bad_value,
    _stranger,
    _wrong_charset,
    _panel,
)


def write_corpus(facility: str, patient: str) -> Iterator[Case]:
    """All of them, for a hospital that knows a patient by this number. Every hundredth is long."""
    for place in range(300):
        draft = _Draft(random.Random(f"corpus/{place}"), facility, patient, f"C{place:03d}")
        kind = _long if place % 100 == 50 else KINDS[place % len(KINDS)]
        kind(draft)
        yield draft.finish(kind.__name__.strip("_"))
