"""The grant that a code opens at a desk, for the visit that it opens or continues."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.models import Grant, Purpose
from consent.policies.standing import STANDING
from consent.receipts import service as receipts
from core import audit, clock, statements
from core.actor import Actor
from core.ids import new_id

# As the notice of the standing policy says; another time needs another notice (``notice_texts``).
TREATMENT_LIFE = timedelta(hours=24)

# The part of consent in the statement by which a scan enters a visit: for a code that shares records, of ``visit(id)``.
# It waits for whoever revokes this very grant, and then finds it revoked. A code gives what the standing policy says;
# what was given to this visit when that said otherwise is not extended (``reopen_treatment_grant``).
OPEN_TREATMENT_GRANT = statements.compose(
    """
INSERT INTO grants AS g (id, person_id, hospital_id, purpose, visit_id, kinds, notice_hash, version, starts_at,
    expires_at)
SELECT %(grant_id)s, %(person_id)s, %(hospital_id)s, 'treatment', visit.id, standing.kinds, standing.notice_hash, 1,
    %(now)s, %(shared_until)s
FROM visit CROSS JOIN ({standing}) standing
WHERE %(shares_records)s AND standing.choice = 'yes'
ON CONFLICT (visit_id) WHERE revoked_at IS NULL AND opened_by = 'code'
    DO UPDATE SET expires_at = excluded.expires_at, version = g.version + 1
    WHERE g.kinds IS NOT DISTINCT FROM excluded.kinds
RETURNING id, version, expires_at
""",
    standing=STANDING,
)
_END_OF_VISIT = """
UPDATE grants SET revoked_at = %(now)s, version = version + 1
WHERE visit_id = %(visit_id)s AND opened_by = 'code' AND revoked_at IS NULL
RETURNING id, version
"""
_OPEN_OF_VISIT = statements.compose(
    "WITH visit AS (SELECT %(visit_id)s::uuid AS id) {grant}", grant=OPEN_TREATMENT_GRANT
)


def treatment_grant(now: datetime, *, shares_records: bool) -> dict[str, Any]:
    """The values of ``OPEN_TREATMENT_GRANT`` that are its own: the patient has shown a code now.

    Shown again for the same visit, it extends the visit's grant. One that was revoked stays so: he has shown his code
    after it, which opens another.
    """
    return {"grant_id": new_id(), "shared_until": now + TREATMENT_LIFE, "shares_records": shares_records}


def record_treatment_grant(session: Session, actor: Actor, *, person_id: UUID, grant_id: UUID, version: int) -> None:
    """Record what ``OPEN_TREATMENT_GRANT`` has done."""
    audit.record_act(
        session,
        actor,
        "consent.grant.opened" if version == 1 else "consent.grant.extended",
        subject_id=person_id,
        of=("grant", grant_id),
        purpose=Purpose.TREATMENT,
        basis=(grant_id, version),
    )


def reopen_treatment_grant(
    session: Session, actor: Actor, *, person_id: UUID, visit_id: UUID, values: Mapping[str, Any]
) -> datetime | None:
    """A code was shown for a visit whose grant says less than the standing policy by now: that one ends, another opens.

    :param values: of ``OPEN_TREATMENT_GRANT``, which has opened nothing.
    :returns: until when the new one lasts; None: there was no such grant, or the policy opens none.
    """
    asked = {**values, "person_id": person_id, "visit_id": visit_id, "hospital_id": actor.house_id}
    ended = statements.run(session, _END_OF_VISIT, asked)
    if ended is None:
        return None
    of, basis = ("grant", ended[0]), (ended[0], ended[1])
    audit.record_act(session, actor, "consent.grant.ended", subject_id=person_id, of=of, basis=basis)
    receipts.ask_of_revoked(session, actor, grant_id=ended[0])
    opened = statements.run(session, _OPEN_OF_VISIT, asked)
    if opened is None:
        return None
    record_treatment_grant(session, actor, person_id=person_id, grant_id=opened[0], version=opened[1])
    until: datetime = opened[2]
    return until


def end_treatment_grant(session: Session, actor: Actor, *, visit_id: UUID) -> None:
    """The actor's hospital has finished a visit: what was shared for it runs out now. Locked as in ``revoke_grant``."""
    now = clock.now()
    living = select(Grant).where(
        Grant.visit_id == visit_id,
        Grant.hospital_id == actor.house_id,
        Grant.revoked_at.is_(None),
        Grant.expires_at > now,
    )
    for grant in session.scalars(living.order_by(Grant.id).with_for_update()).all():
        # It has lasted, however short: a period without length would say that it never was.
        grant.expires_at = max(now, grant.starts_at + timedelta(microseconds=1))
        grant.version += 1
        audit.record_act(
            session,
            actor,
            "consent.grant.ended",
            subject_id=grant.person_id,
            of=("grant", grant.id),
            purpose=grant.purpose,
            basis=(grant.id, grant.version),
        )
