"""The versions of a report, and what each changed: nobody should have to compare two sheets of paper."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import statements
from records.reports.models import Observation, ObservationStatus

# What of a line a reader would want to know about when it is not as before.
_COMPARED = {
    "value": ("value", "comparator", "text", "unit"),
    "reference": ("reference_low", "reference_high", "reference_text"),
    "interpretation": ("interpretation",),
    "note": ("note",),
    "status": ("status",),
    "name": ("name",),
}


_VERSIONS = """
SELECT version, is_current, status, issued_at, filed_at, conclusion, authors
FROM reports WHERE id = %(report_id)s ORDER BY version
"""


class Version(NamedTuple):
    """What of a version is compared with the one before, beside its lines."""

    version: int
    is_current: bool
    status: str
    issued_at: datetime | None
    filed_at: datetime
    conclusion: str | None
    authors: dict[str, Any] | None


@dataclass(frozen=True)
class ChangeView:
    """One line that a version added, removed or changed.

    :ivar kind: added, removed or changed.
    :ivar fields: of a changed line: value, reference, interpretation, note, status, name.
    :ivar before: the result as one text (comparator, value, unit); None: there was none.
    """

    kind: str
    code: str
    code_system: str
    name: str
    fields: list[str]
    before: str | None
    after: str | None


@dataclass(frozen=True)
class VersionView:
    """One version. ``changes``: against the version before; ``conclusion_changed`` and ``authors_changed`` likewise."""

    version: int
    is_current: bool
    status: str
    issued_at: datetime | None
    filed_at: datetime
    conclusion_changed: bool
    authors_changed: bool
    changes: list[ChangeView]


def list_versions(session: Session, report_id: UUID, *, known: Version) -> list[VersionView]:
    """All versions, the first one first. The caller has decided that the actor may see the report.

    :param known: one of them: a first version that is current is the only one.
    """
    if known.version == 1 and known.is_current:
        return [_view(known, None, [])]
    versions = [Version(*row) for row in statements.list_rows(session, _VERSIONS, {"report_id": report_id})]
    lines: dict[int, dict[tuple[str, str, int], Observation]] = {report.version: {} for report in versions}
    met: Counter[tuple[int, str, str]] = Counter()
    in_order = select(Observation).where(Observation.report_id == report_id)
    for line in session.scalars(in_order.order_by(Observation.report_version, Observation.position)):
        # Where a report measures one item several times, the first is compared with the first, and so on.
        item = line.report_version, line.code_system, line.code
        met[item] += 1
        lines[line.report_version][line.code_system, line.code, met[item]] = line
    found = [_view(versions[0], None, [])]
    for before, after in pairwise(versions):
        found.append(_view(after, before, _compare(lines[before.version], lines[after.version])))
    return found


def _view(report: Version, before: Version | None, changes: list[ChangeView]) -> VersionView:
    return VersionView(
        version=report.version,
        is_current=report.is_current,
        status=report.status,
        issued_at=report.issued_at,
        filed_at=report.filed_at,
        conclusion_changed=before is not None and before.conclusion != report.conclusion,
        authors_changed=before is not None and before.authors != report.authors,
        changes=changes,
    )


def _compare(
    before: dict[tuple[str, str, int], Observation], after: dict[tuple[str, str, int], Observation]
) -> list[ChangeView]:
    found = []
    for item, line in after.items():
        old = before.get(item)
        fields = [] if old is None else [name for name, parts in _COMPARED.items() if _differ(old, line, parts)]
        if old is None:
            found.append(_change("added", line, None, line, fields))
        elif fields:
            found.append(_change("changed", line, old, line, fields))
    found += [_change("removed", line, line, None, []) for item, line in before.items() if item not in after]
    return found


def _differ(one: Observation, other: Observation, parts: tuple[str, ...]) -> bool:
    # As text: a result that was 5.1 and is 5.10 now was measured more finely.
    return any(_as_text(getattr(one, part)) != _as_text(getattr(other, part)) for part in parts)


def _as_text(value: object) -> str | None:
    return None if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def _change(
    kind: str, named: Observation, before: Observation | None, after: Observation | None, fields: list[str]
) -> ChangeView:
    return ChangeView(kind, named.code, named.code_system, named.name, fields, _result(before), _result(after))


def _result(line: Observation | None) -> str | None:
    if line is None or line.status == ObservationStatus.WITHDRAWN:
        return None
    written = _as_text(line.value) or line.text
    return " ".join(part for part in (line.comparator, written, line.unit) if part) if written else None
