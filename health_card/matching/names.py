"""Names as they may be written again: simplified or traditional, and by their reading.

OpenCC's tables know the variants, pypinyin's the readings (Hanyu Pinyin without tones, ISO 7098).
"""

import re

from opencc import OpenCC
from pypinyin import Style, pinyin

_SIMPLIFIED = OpenCC("t2s")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_SOUNDLESS = re.compile(r"[\W\d_]+")


def simplify(name: str) -> str:
    """The name in simplified characters and capitals, without spaces and dots."""
    return _SOUNDLESS.sub("", _SIMPLIFIED.convert(name)).upper()


def read_name(name: str) -> frozenset[str]:
    """How the name may be read, for example ``zengxiaoming`` and ``cengxiaoming`` for 曾小明.

    All readings of the surname's first character, the usual one of the others. A name in Latin letters reads as it
    stands, and with its words in alphabetical order: which of them is the surname, nobody can tell.
    """
    plain = simplify(name)
    if not _HAN.search(plain):
        words = _words(name)
        return frozenset({"".join(words), "".join(sorted(words))} - {""})
    given = "".join(_read_character(character)[0] for character in plain[1:])
    return frozenset(surname + given for surname in _read_character(plain[0]))


def read_surname(name: str) -> frozenset[str]:
    """How the surname may be read; of a name in Latin letters the first and the last word."""
    plain = simplify(name)
    if not _HAN.search(plain):
        words = _words(name)
        return frozenset({*words[:1], *words[-1:]})
    return frozenset(_read_character(plain[0]))


def is_near(one: str, other: str) -> bool:
    """Whether one character is replaced, missing or added, or two neighbours are swapped."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    one, other = one[start:], other[start:]
    is_swapped = one[:2] == other[:2][::-1] and one[2:] == other[2:] and len(one) == len(other)
    return is_swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:]


def _read_character(character: str) -> list[str]:
    return [reading.lower() for reading in pinyin(character, style=Style.NORMAL, heteronym=True)[0]]


def _words(name: str) -> list[str]:
    return [word for word in _SOUNDLESS.split(name.lower()) if word]
