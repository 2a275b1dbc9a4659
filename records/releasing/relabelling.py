"""The list of sensitive codes has changed: the reports that are filed already are looked through once."""

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

# The current reports and their lines, by hand: the slice of reports files through this one.
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


def announce_list(session: Session, *, after: UUID = FIRST) -> None:
    """Have what is filed looked through, once for every state of the list.

    :param after: the last report that was.
    """
    said = "\n".join(f"{entry.sensitivity} {entry.system} {entry.code}" for entry in list_entries())
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    key = f"{LIST_CHANGED_TOPIC}/{digest}/{after}"
    outbox.announce(session, LIST_CHANGED_TOPIC, {"after": str(after)}, key=key)


def label_slice(session: Session, *, after: UUID) -> None:
    """Label the next reports in the order of their ids. Nothing is held back that a patient may have read.

    :param after: the last id of the slice before.
    """
    rows = session.execute(text(_REPORTS), {"after": after, "slice": SLICE}).all()
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
                of=("report", id_),
                sensitivity=sensitivity,
                is_held=False,
            )
    if len(rows) == SLICE:
        announce_list(session, after=rows[-1][0])
