"""The list of sensitive codes has changed: what is filed already is looked through once, kind by kind."""

import hashlib
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent import service as consent
from core import outbox
from records.releasing.classification import classify, list_entries

LIST_CHANGED_TOPIC = "records.sensitive_list_changed"
SLICE = 2000
FIRST = UUID(int=0)

# By hand: the slices of reports, studies and entries file through this one. Each with all codes and names it has.
_REPORTS = """
SELECT r.id, r.person_id, r.hospital_id, r.code_system, r.code, r.name, v.department,
    coalesce(array_agg(o.code_system) FILTER (WHERE o.code IS NOT NULL), '{}'),
    coalesce(array_agg(o.code) FILTER (WHERE o.code IS NOT NULL), '{}'),
    coalesce(array_agg(o.name) FILTER (WHERE o.code IS NOT NULL), '{}')
FROM (SELECT * FROM reports WHERE is_current AND id > :after ORDER BY id LIMIT :slice) r
LEFT JOIN visits v ON v.id = r.visit_id
LEFT JOIN observations o ON o.report_id = r.id AND o.report_version = r.version
GROUP BY r.id, r.person_id, r.hospital_id, r.code_system, r.code, r.name, v.department
ORDER BY r.id
"""
_STUDIES = """
SELECT s.id, s.person_id, s.hospital_id, '', '', coalesce(s.description, ''), v.department, '{}'::text[], '{}'::text[],
    coalesce(array_agg(concat_ws(' ', i.body_part, i.description)) FILTER (WHERE i.id IS NOT NULL), '{}')
FROM (SELECT * FROM studies WHERE id > :after ORDER BY id LIMIT :slice) s
LEFT JOIN visits v ON v.id = s.visit_id
LEFT JOIN series i ON i.study_id = s.id
GROUP BY s.id, s.person_id, s.hospital_id, s.description, v.department
ORDER BY s.id
"""
_ENTRIES = """
SELECT e.id, e.person_id, e.hospital_id, coalesce(e.code_system, ''), coalesce(e.code, ''), e.name, v.department,
    '{}'::text[], '{}'::text[], '{}'::text[]
FROM (SELECT * FROM record_entries WHERE is_current AND id > :after ORDER BY id LIMIT :slice) e
LEFT JOIN visits v ON v.id = e.visit_id
ORDER BY e.id
"""
_SLICES = {"report": _REPORTS, "study": _STUDIES, "entry": _ENTRIES}


def announce_list(session: Session) -> None:
    """Have what is filed looked through, once for every state of the list."""
    for kind in _SLICES:
        _announce(session, kind, FIRST)


def _announce(session: Session, kind: str, after: UUID) -> None:
    said = "\n".join(f"{entry.sensitivity} {entry.system} {entry.code}" for entry in list_entries())
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    key = (
        f"{LIST_CHANGED_TOPIC}/{digest}/{after}"
        if kind == "report"
        else f"{LIST_CHANGED_TOPIC}/{digest}/{kind}/{after}"
    )
    outbox.announce(session, LIST_CHANGED_TOPIC, {"kind": kind, "after": str(after)}, key=key)


def label_slice(session: Session, *, kind: str, after: UUID) -> None:
    """Label the next things of a kind in the order of their ids. Nothing is held back that a patient may have read.

    :param kind: report, study or entry.
    :param after: the last id of the slice before.
    """
    rows = session.execute(text(_SLICES[kind]), {"after": after, "slice": SLICE}).all()
    for id_, person_id, hospital_id, system, code, name, department, systems, codes, names in rows:
        own = (system, code)
        sensitivity = classify(
            codes=[own, *zip(systems, codes, strict=True)], names=[name, *names], department=department
        )
        if sensitivity is not None:
            consent.restrict_item(
                session,
                person_id=person_id,
                hospital_id=hospital_id,
                of=(kind, id_),
                sensitivity=sensitivity,
                is_held=False,
            )
    if len(rows) == SLICE:
        _announce(session, kind, rows[-1][0])
