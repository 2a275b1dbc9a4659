"""Who made a report, as its sender says it: kept with each version, and never guessed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

# Who measured or examined (FHIR performer; HL7 v2 OBR-34, OBX-16), and who says what it means (resultsInterpreter;
# OBR-32).
PERFORMER, INTERPRETER = "performer", "interpreter"
ROLES = (PERFORMER, INTERPRETER)
_SAID = ("name", "number", "system", "staff_id")
MOST_AUTHORS = 50
# Of an author: every result of the report is his.
ALL_LINES = (0,)


@dataclass(frozen=True)
class Author:
    """Somebody who made a report. One of ``name`` and ``number`` there is.

    :ivar role: performer or interpreter.
    :ivar number: by which the sender knows him, in ``system``.
    :ivar staff_id: whom of the sending hospital's staff it names, by our id; None: it is only said.
    :ivar lines: the positions of the results that name him, ``ALL_LINES`` for every one; None: only the report does.
    """

    role: str
    name: str | None = None
    number: str | None = None
    system: str | None = None
    staff_id: str | None = None
    lines: tuple[int, ...] | None = None

    @property
    def shown(self) -> str:
        """What a person reads."""
        return self.name or self.number or ""

    def made(self, position: int) -> bool:
        """Whether the result at this position is said to be his."""
        return self.lines is not None and (self.lines == ALL_LINES or position in self.lines)


def keep_authors(authors: Iterable[Author], results: Collection[int] = ()) -> dict[str, Any] | None:
    """As they are kept with the version: by role, in the order in which they were named, each once.

    :param results: the positions of all results of the report; who made every one need not be kept with each.
    """
    met: dict[tuple[str | None, ...], set[int]] = {}
    for author in authors:
        who = author.role, author.name, author.number, author.system, author.staff_id
        met.setdefault(who, set()).update(author.lines or ())
    kept: dict[str, Any] = {}
    for (role, *named), lines in met.items():
        said: dict[str, Any] = {name: value for name, value in zip(_SAID, named, strict=True) if value is not None}
        if lines:
            is_all = 0 in lines or (len(results) > 0 and lines.issuperset(results))
            said["lines"] = list(ALL_LINES) if is_all else sorted(lines)
        kept.setdefault(str(role), []).append(said)
    return kept or None


def list_authors(kept: Mapping[str, Any] | None) -> list[Author]:
    """Those that are kept, performers first."""
    return [_read(role, said) for role in ROLES for said in (kept or {}).get(role, ())]


def _read(role: str, said: Mapping[str, Any]) -> Author:
    found = Author(role, *(said.get(name) for name in _SAID))
    return replace(found, lines=tuple(said["lines"])) if "lines" in said else found
