"""Who made a report, as its sender says it: kept with each version, and never guessed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Who measured or examined (FHIR performer; HL7 v2 OBR-34, OBX-16), and who says what it means (resultsInterpreter;
# OBR-32).
PERFORMER, INTERPRETER = "performer", "interpreter"
ROLES = (PERFORMER, INTERPRETER)
MOST_AUTHORS = 50


@dataclass(frozen=True)
class Author:
    """Somebody who made a report. One of ``name`` and ``number`` there is.

    :ivar role: performer or interpreter.
    :ivar number: by which the sender knows him, in ``system``.
    :ivar staff_id: whom of the sending hospital's staff it names, by our id; None: it is only said.
    """

    role: str
    name: str | None = None
    number: str | None = None
    system: str | None = None
    staff_id: str | None = None

    @property
    def shown(self) -> str:
        """What a person reads."""
        return self.name or self.number or ""


def keep_authors(authors: Iterable[Author]) -> dict[str, Any] | None:
    """As they are kept with the version: by role, in the order in which they were named, each once."""
    kept: dict[str, Any] = {}
    for author in dict.fromkeys(authors):
        said = {name: value for name, value in vars(author).items() if name != "role" and value is not None}
        kept.setdefault(author.role, []).append(said)
    return kept or None


def list_authors(kept: Mapping[str, Any] | None) -> list[Author]:
    """Those that are kept, performers first."""
    return [Author(role, **said) for role in ROLES for said in (kept or {}).get(role, ())]
