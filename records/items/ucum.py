"""Units of the UCUM (case sensitive codes, section 2): read exactly, compared by what they measure, converted exactly.

Only what laboratories use is known. Libraries for UCUM count in floating point and hold that arbitrary units such as
[iU] are plain numbers, so that they turn [iU]/L into cells a litre; here everything unlike is refused.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

_PREFIXES = {
    "": 0, "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "da": 1, "h": 2, "k": 3, "M": 6,
    "G": 9, "T": 12,
}  # fmt: skip

# Factor to the base units, and the base units with their exponents; a litre is a thousandth of a cubic metre.
_METRIC: dict[str, tuple[Fraction, dict[str, int]]] = {
    "g": (Fraction(1), {"g": 1}),
    "m": (Fraction(1), {"m": 1}),
    "s": (Fraction(1), {"s": 1}),
    "mol": (Fraction(1), {"mol": 1}),
    "l": (Fraction(1, 1000), {"m": 3}),
    "L": (Fraction(1, 1000), {"m": 3}),
    "U": (Fraction(1, 60_000_000), {"mol": 1, "s": -1}),
    "kat": (Fraction(1), {"mol": 1, "s": -1}),
    "Pa": (Fraction(1000), {"g": 1, "m": -1, "s": -2}),
    "m[Hg]": (Fraction(133_322_000), {"g": 1, "m": -1, "s": -2}),
    # Each measures what no other unit does: an international unit of one substance is nothing in another's.
    **{name: (Fraction(1), {name: 1}) for name in ("eq", "osm", "[iU]", "[IU]", "[arb'U]", "[CFU]", "Cel")},
}
_METRIC["[IU]"] = _METRIC["[iU]"]
_PLAIN: dict[str, tuple[Fraction, dict[str, int]]] = {
    "%": (Fraction(1, 100), {}),
    "[ppth]": (Fraction(1, 1000), {}),
    "min": (Fraction(60), {"s": 1}),
    "h": (Fraction(3600), {"s": 1}),
    "d": (Fraction(86400), {"s": 1}),
    "[pH]": (Fraction(1), {"[pH]": 1}),
    "[HPF]": (Fraction(1), {"[HPF]": 1}),
    "[LPF]": (Fraction(1), {"[LPF]": 1}),
    "10*": (Fraction(10), {}),
    "10^": (Fraction(10), {}),
}
_TOKEN = re.compile(r"\{[^{}]*\}|[./()]|(?:\[[^\[\]]*\]|10[*^]|[A-Za-z%]|')+[+-]?[0-9]*|[0-9]+")
_ATOM = re.compile(r"(10[*^]|.*?[^0-9+-])([+-]?[0-9]+)?")
_LONGEST = 60
_HIGHEST_EXPONENT = 30


@dataclass(frozen=True)
class Unit:
    """A unit: how many of the base units it is, and what it measures.

    :ivar measures: base units and their exponents. An annotation with figures in it (``{1.73_m2}``) counts as one,
        because a result so adjusted is not the plain one; other annotations say nothing (UCUM section 2.1).
    :ivar fraction_of: base units that stand both above and below, such as mol in mmol/mol: 48 mmol/mol of HbA1c are
        not 4.8 % of it.
    """

    factor: Fraction
    measures: frozenset[tuple[str, int]]
    fraction_of: frozenset[str]

    @property
    def kind(self) -> tuple[frozenset[tuple[str, int]], frozenset[str]]:
        return self.measures, self.fraction_of


@lru_cache(maxsize=4096)
def read_unit(code: str) -> Unit:
    """A UCUM code as a unit.

    :raises ValueError: not a code of UCUM, or with a unit that no laboratory uses.
    """
    if not code or len(code) > _LONGEST or not code.isascii() or " " in code:
        raise ValueError("not a unit of UCUM")
    tokens = _TOKEN.findall(code)
    if "".join(tokens) != code:
        raise ValueError("not a unit of UCUM")
    reader = _Reader(tokens)
    factor, above, below = reader.read_term()
    if reader.left:
        raise ValueError("not a unit of UCUM")
    exponents = Counter(above)
    exponents.subtract(below)
    measures = frozenset((name, exponent) for name, exponent in exponents.items() if exponent)
    # Litres in litres is a number; moles in moles and grams in grams are fractions of their own.
    return Unit(factor, measures, frozenset(name for name in above if name in below and name in {"mol", "g"}))


def find_factor(given: str, wanted: str, *, molar_mass: Fraction | None = None) -> Fraction | None:
    """By what a number in the one unit is multiplied to be in the other; None when they measure different things.

    :param given: UCUM code, as is ``wanted``.
    :param molar_mass: grams a mole of the substance: with it, mass and amount of substance convert too.
    :raises ValueError: not a unit of UCUM.
    """
    one, other = read_unit(given), read_unit(wanted)
    if one.kind == other.kind:
        return one.factor / other.factor
    if molar_mass:
        if one.kind == _exchange(other, "mol", "g"):
            return one.factor / molar_mass / other.factor
        if one.kind == _exchange(other, "g", "mol"):
            return one.factor * molar_mass / other.factor
    return None


def list_readings(written: str) -> list[str]:
    """The UCUM codes that a unit as people write it may mean, likeliest first; what is none of UCUM's is left out.

    Laboratories write 10^9/L, μmol/L, 个/HP, and IU/L both for international units and for those of enzymes.
    """
    text = written.strip().translate(_SPELLINGS)
    text = re.sub(r"^[xX*](?=10)", "", text.replace(" ", ""))
    text = re.sub(r"10(?:[*^~]{1,2}|[eE]|(?=(?:3|6|9|12)/))([0-9]{1,2})", r"10*\1", text)
    text = re.sub(r"(?i)(^|/)(?:个)?/?HPF?$", r"\1/[HPF]", text).replace("//", "/")
    text = re.sub(r"/24h(?:r|rs)?$", "/d", re.sub(r"(?i)mmHg", "mm[Hg]", text))
    text = re.sub(r"\(?min[/.*·]1\.73(?:m\^?2|㎡)\)?$", "min/{1.73_m2}", text)
    text = _WORDS.get(text.lower(), text).replace("个/", "/").replace("个", "1").replace("mOsm", "mosm")
    candidates = [text]
    if (found := re.fullmatch(r"([munkM]?)(IU|U|AU)(/.+)", text)) is not None:
        meant = ("[arb'U]",) if found[2] == "AU" else ("U", "[iU]", "[arb'U]")
        candidates = [f"{found[1]}{unit}{found[3]}" for unit in meant]
    return [code for code in dict.fromkeys(candidates) if _is_unit(code)]


_SPELLINGS = str.maketrans("μµ×✕＊／％⁰¹²³⁴⁵⁶⁷⁸⁹（）", "uuxx*/%0123456789()")
_WORDS = {
    "秒": "s", "sec": "s", "分": "min", "小时": "h", "℃": "Cel", "mm/小时": "mm/h", "mm/hr": "mm/h", "ph": "[pH]",
    "无": "1", "inr": "1", "ratio": "1", "l/l": "L/L",
}  # fmt: skip


def _is_unit(code: str) -> bool:
    try:
        read_unit(code)
    except ValueError:
        return False
    return True


def _exchange(unit: Unit, base: str, against: str) -> tuple[frozenset[tuple[str, int]], frozenset[str]] | None:
    """What it would measure with one base unit in place of another; None where that one is not there once."""
    if (base, 1) not in unit.measures or any(name == against for name, _ in unit.measures) or unit.fraction_of:
        return None
    # Enzymes' units are moles a second: no mass stands for them.
    if any(name == "s" for name, _ in unit.measures):
        return None
    return frozenset((against if name == base else name, exponent) for name, exponent in unit.measures), frozenset()


_Read = tuple[Fraction, Counter[str], Counter[str]]


class _Reader:
    """Recursive descent over the grammar of UCUM, section 2.4: terms of components, joined by point and solidus."""

    def __init__(self, tokens: list[str]) -> None:
        self.left = tokens[::-1]

    def read_term(self) -> _Read:
        factor, above, below = Fraction(1), Counter[str](), Counter[str]()
        is_over = bool(self.left) and self.left[-1] == "/"
        if is_over:
            self.left.pop()
        while True:
            part_factor, part_above, part_below = self._read_component()
            factor = factor / part_factor if is_over else factor * part_factor
            above += part_below if is_over else part_above
            below += part_above if is_over else part_below
            if not self.left or self.left[-1] not in {".", "/"}:
                return factor, above, below
            is_over = self.left.pop() == "/"

    def _read_component(self) -> _Read:
        if not self.left:
            raise ValueError("a unit is missing")
        symbol = self.left.pop()
        if symbol == "(":
            inner = self.read_term()
            if not self.left or self.left.pop() != ")":
                raise ValueError("a bracket is not closed")
            return inner
        if symbol.startswith("{"):
            return _read_annotation(symbol)
        if symbol in {".", "/", ")"}:
            raise ValueError("a unit is missing")
        read = (Fraction(int(symbol)), Counter[str](), Counter[str]()) if symbol.isdigit() else _read_atom(symbol)
        if read[0] == 0:
            raise ValueError("nothing is measured in noughts")
        if self.left and self.left[-1].startswith("{"):
            _, above, _ = _read_annotation(self.left.pop())
            return read[0], read[1] + above, read[2]
        return read


def _read_annotation(symbol: str) -> _Read:
    counted = Counter({symbol: 1}) if re.search("[0-9]", symbol) else Counter[str]()
    return Fraction(1), counted, Counter()


def _read_atom(symbol: str) -> _Read:
    found = _ATOM.fullmatch(symbol)
    if found is None:
        raise ValueError("not a unit of UCUM")
    exponent = int(found[2] or 1)
    if not 0 < abs(exponent) <= _HIGHEST_EXPONENT:
        raise ValueError("an exponent that no unit has")
    for factor, measured in _list_meanings(found[1]):
        above, below = Counter[str](), Counter[str]()
        for name, each in measured.items():
            (above if each * exponent > 0 else below)[name] += abs(each * exponent)
        return factor**exponent, above, below
    raise ValueError("not a unit that is known here")


def _list_meanings(symbol: str) -> Iterator[tuple[Fraction, dict[str, int]]]:
    """A whole unit before a prefixed one: min is a minute, not a thousandth of an inch."""
    if symbol in _PLAIN:
        yield _PLAIN[symbol]
    for prefix, power in _PREFIXES.items():
        if symbol.startswith(prefix) and symbol[len(prefix) :] in _METRIC:
            factor, measured = _METRIC[symbol[len(prefix) :]]
            yield factor * Fraction(10) ** power, measured
