"""Whether two names are one name, written differently."""

import re
from collections.abc import Iterator
from itertools import islice, permutations, product

from pypinyin import Style, pinyin

from health_card.matching.names import read_name, simplify
from health_card.service.identities import normalise_name

__all__ = ["is_same_name", "read_name"]

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
# ü is written v, u or yu.
_UMLAUT = re.compile(r"v|ü|(?<=[ln])yu")
_MOST_READINGS, _MOST_WORDS = 64, 4


def is_same_name(known: str, sent: str) -> bool:
    """Whether two names differ in form alone: spaces, dots, capitals, traditional characters, pinyin, word order.

    Characters that are read alike pass too: they are slips of the ear. Of a name in Latin letters, further given names
    may be missing on one side.
    """
    if normalise_name(known) == normalise_name(sent) or simplify(known) == simplify(sent):
        return True
    is_han = bool(_HAN.search(known)), bool(_HAN.search(sent))
    if all(is_han):
        return bool(read_name(known) & read_name(sent))
    if not any(is_han):
        one, other = set(_words(known)), set(_words(sent))
        return min(len(one), len(other)) >= 2 and (one <= other or other <= one)
    han, latin = (known, sent) if is_han[0] else (sent, known)
    return not _readings(han).isdisjoint(_spellings(latin))


def _readings(han: str) -> set[str]:
    """The ways in which a name may be read; the more unusual ones of a long name are left out."""
    syllables = pinyin(simplify(han), style=Style.NORMAL, heteronym=True)
    return {_UMLAUT.sub("u", "".join(reading).lower()) for reading in islice(product(*syllables), _MOST_READINGS)}


def _spellings(latin: str) -> Iterator[str]:
    """The words of a romanised name in every order: which of them is the surname, nobody can tell."""
    words = _words(latin)
    orders = permutations(words) if len(words) <= _MOST_WORDS else iter([tuple(words)])
    return (_UMLAUT.sub("u", "".join(order)) for order in orders)


def _words(latin: str) -> list[str]:
    return [word for word in re.split(r"[\W\d_]+", normalise_name(latin).lower().replace("'", "")) if word]
