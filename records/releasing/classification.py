"""Which sensitive kind an item is of: by code, by words in names, by the department (sensitive_codes.csv).

Only what a code or a name says is found. A hospital's own code that says nothing in its name is not.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from consent.service import Sensitivity

DEPARTMENT, WORD, ICD_10 = "department", "word", "icd-10"
# FHIR R4 and its terminology server name the international list and its modifications by these.
_ICD_10_SYSTEMS = "http://hl7.org/fhir/sid/icd-10"


@dataclass(frozen=True)
class Entry:
    """One line of the list. ``code`` ends with ``*`` where everything that begins so is meant."""

    sensitivity: Sensitivity
    system: str
    code: str

    def fits(self, code: str) -> bool:
        """Whether a code of this entry's system is meant by it."""
        return code.startswith(self.code[:-1]) if self.code.endswith("*") else code == self.code


def classify(
    *, codes: Iterable[tuple[str, str]], names: Iterable[str], department: str | None = None
) -> Sensitivity | None:
    """The sensitive kind, the first of the list when there are several; None: it is like any other item.

    :param codes: system and code each, of the item and of everything in it.
    :param names: of the item and of everything in it.
    :param department: the standard code of where it was made, when known.
    """
    said = {(ICD_10 if system.startswith(_ICD_10_SYSTEMS) else system, code.upper()) for system, code in codes}
    text = "\n".join(names).upper()
    if not _suspects(said, text, department):
        return None
    for entry in list_entries():
        if entry.system == WORD:
            found = entry.code.upper() in text
        elif entry.system == DEPARTMENT:
            found = department is not None and entry.fits(department)
        else:
            found = any(system == entry.system and entry.fits(code) for system, code in said)
        if found:
            return entry.sensitivity
    return None


def _suspects(said: set[tuple[str, str]], text: str, department: str | None) -> bool:
    """Whether anything of the list is met. Asked of everything that is filed; the answer is nearly always no."""
    words, exact, beginnings = _prepare()
    if words.search(text) or not exact.isdisjoint(said):
        return True
    found = said | {(DEPARTMENT, department)} if department is not None else said
    return any(system in beginnings and code.startswith(beginnings[system]) for system, code in found)


@cache
def _prepare() -> tuple[re.Pattern[str], frozenset[tuple[str, str]], dict[str, tuple[str, ...]]]:
    """The list's words; its codes; and by system how codes begin that are on it, or are it themselves."""
    entries = list_entries()
    words = "|".join(re.escape(entry.code.upper()) for entry in entries if entry.system == WORD)
    exact = frozenset((entry.system, entry.code) for entry in entries)
    beginnings: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        if entry.code.endswith("*") or entry.system == DEPARTMENT:
            beginnings[entry.system] = (*beginnings.get(entry.system, ()), entry.code.removesuffix("*"))
    return re.compile(words), exact, beginnings


@cache
def list_entries() -> tuple[Entry, ...]:
    """The list in its order, the most sensitive kind first."""
    sheet = (resources.files(__package__) / "sensitive_codes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(sheet.splitlines())
    return tuple(Entry(Sensitivity(row["sensitivity"]), row["system"], row["code"]) for row in rows)
