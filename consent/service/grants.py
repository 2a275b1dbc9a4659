"""Opening, listing and revoking grants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, tuple_, update
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.models import Grant, OpenedBy, Purpose
from consent.receipts import service as receipts
from consent.refusals import GrantNotFound, MinorDecides, NothingToShare
from consent.scope import Recipient, Scope, recipient_of, scope_of
from consent.service import scoping
from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card

_LINK = "分享链接"


class GrantStatus(StrEnum):
    """How a grant stands."""

    IN_FORCE = "in_force"
    EXPIRED = "expired"
    REVOKED = "revoked"
    USED_UP = "used_up"


@dataclass(frozen=True)
class GrantFilter:
    """What of the grants is asked for; everything given must fit."""

    status: GrantStatus | None = None
    person_id: UUID | None = None
    purpose: Purpose | None = None
    hospital_id: UUID | None = None
    department: str | None = None
    staff_id: UUID | None = None
    link_id: UUID | None = None


@dataclass(frozen=True)
class Origin:
    """Where a grant comes from: the visit whose code opened it, the request that it answers, and the SHA-256 of the
    notice that the patient was shown (hexadecimal digits).
    """

    visit_id: UUID | None = None
    request_id: UUID | None = None
    notice_hash: str | None = None


_ALL, _FROM_NOWHERE = GrantFilter(), Origin()


@dataclass(frozen=True)
class GrantView:
    """A grant as the patient sees it. ``person_name``: masked; of ``scope`` the uses are those that are left."""

    id: UUID
    person_id: UUID
    person_name: str
    hospital_name: str
    recipient: Recipient
    scope: Scope
    purpose: str
    opened_by: str
    visit_id: UUID | None
    request_id: UUID | None
    notice_hash: str | None
    version: int
    status: GrantStatus
    starts_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def open_grant(
    session: Session,
    actor: Actor,
    *,
    person_id: UUID,
    recipient: Recipient,
    scope: Scope,
    purpose: Purpose,
    opened_by: OpenedBy,
    expires_at: datetime,
    origin: Origin = _FROM_NOWHERE,
) -> GrantView:
    """Let somebody see a person's records from now on. The caller has decided that it may be opened, and how wide.

    What a guardian allows about a child ends at its 14th birthday at the latest: then it is asked itself.

    :param scope: compare it with what was asked for (``Scope.is_within``), under the lock of the request's row.
    :raises NothingToShare: the scope is empty, or the time is over.
    """
    now = clock.now()
    if decided_until := health_card.find_decision_end(session, actor, person_id):
        expires_at = min(expires_at, decided_until)
    if scope.is_empty or expires_at <= now:
        raise NothingToShare
    grant = Grant(
        id=new_id(),
        person_id=person_id,
        **recipient.columns(),
        **scope.columns(),
        purpose=purpose,
        opened_by=opened_by,
        visit_id=origin.visit_id,
        request_id=origin.request_id,
        notice_hash=origin.notice_hash,
        version=1,
        starts_at=now,
        expires_at=expires_at,
    )
    session.add(grant)
    session.flush()
    audit.record_act(
        session,
        actor,
        "consent.grant.opened",
        subject_id=person_id,
        of=("grant", grant.id),
        purpose=purpose,
        basis=(grant.id, 1),
        facts={"opened_by": opened_by},
    )
    return show_grant(session, grant)


def revoke_grant(session: Session, actor: Actor, *, grant_id: UUID) -> GrantView:
    """End a grant from the next request on, and with it all others that let the same hospital see the same person.

    Whoever takes his consent back means the hospital, not one of several visits there; the department or the one
    person, where the grant names these. Revoking again changes nothing. The rows are locked against readers (see
    ``release``): when this commits, no read under them is under way.

    :raises GrantNotFound: not a grant of a person whom the actor may act for.
    :raises MinorDecides: the person is 14 to 17, and somebody else.
    """
    held = Grant.person_id.in_(health_card.held_person_ids(actor))
    asked = session.scalars(select(Grant).where(Grant.id == grant_id, held)).one_or_none()
    if asked is None:
        raise GrantNotFound
    check_decides(session, actor, asked.person_id)
    alike = select(Grant).where(
        held,
        Grant.person_id.in_(health_card.same_person_ids(asked.person_id)),
        Grant.hospital_id.is_not_distinct_from(asked.hospital_id),
        Grant.link_id.is_not_distinct_from(asked.link_id),
        Grant.purpose == asked.purpose,
        *([Grant.department == asked.department] if asked.department else []),
        *([Grant.staff_id == asked.staff_id] if asked.staff_id else []),
        (Grant.id == grant_id) | (Grant.revoked_at.is_(None) & (Grant.expires_at > clock.now())),
    )
    locked = alike.order_by(Grant.id).with_for_update()
    for grant in session.scalars(locked, execution_options={"populate_existing": True}).all():
        end_locked(session, actor, grant)
    return show_grant(session, asked)


def check_decides(session: Session, actor: Actor, person_id: UUID) -> None:
    """Whether a login that acts for a person may take back what others were allowed.

    :raises MinorDecides: the person is 14 to 17, and somebody else.
    """
    if person_id not in set(session.scalars(health_card.entrusted_person_ids(actor))):
        raise MinorDecides


def end_grant(session: Session, actor: Actor, *, grant_id: UUID) -> bool:
    """End one grant from the next request on, locked against readers as in ``revoke_grant``. The caller has decided
    that the actor may.

    :returns: whether it was in force.
    """
    grant = session.get_one(Grant, grant_id, with_for_update=True, populate_existing=True)
    if grant.revoked_at is not None or grant.expires_at <= clock.now():
        return False
    end_locked(session, actor, grant)
    return True


def end_visit_grants(session: Session, actor: Actor, *, visit_id: UUID) -> None:
    """End what was opened for a visit, from the next request on; locked against readers as in ``revoke_grant``."""
    mine = select(Grant).where(Grant.visit_id == visit_id, Grant.person_id.in_(health_card.held_person_ids(actor)))
    for grant in session.scalars(mine.order_by(Grant.id).with_for_update()).all():
        end_locked(session, actor, grant)


def end_grants_of_person(session: Session, actor: Actor, *, person_id: UUID) -> None:
    """End all that anybody may see of a person whose record is deleted; locked against readers as in ``revoke_grant``.

    What has run out already is left as it is.
    """
    theirs = select(Grant).where(
        Grant.person_id.in_(health_card.same_person_ids(person_id)),
        Grant.revoked_at.is_(None),
        Grant.expires_at > clock.now(),
    )
    for grant in session.scalars(theirs.order_by(Grant.id).with_for_update()).all():
        end_locked(session, actor, grant)


def list_grants(
    session: Session,
    actor: Actor,
    *,
    wanted: GrantFilter = _ALL,
    before: UUID | None = None,
    limit: int = 200,
) -> list[GrantView]:
    """The grants of the persons whom the actor may act for, newest first.

    :param before: the id of the last grant of the page before.
    """
    mine = select(Grant).where(Grant.person_id.in_(health_card.held_person_ids(actor)), *_conditions(wanted))
    if before is not None:
        last = select(Grant.starts_at, Grant.id).where(Grant.id == before).subquery()
        mine = mine.where(tuple_(Grant.starts_at, Grant.id) < select(last.c.starts_at, last.c.id).scalar_subquery())
    grants = session.scalars(mine.order_by(Grant.starts_at.desc(), Grant.id.desc()).limit(limit)).all()
    return _show(session, grants)


def list_received_grants(session: Session, actor: Actor) -> list[GrantView]:
    """The grants in force by which the actor sees anything now, newest first (at most 200).

    The name of the person is not told: whoever may know it reads the person.
    """
    received = select(Grant).where(scoping.is_for(actor))
    grants = session.scalars(received.order_by(Grant.starts_at.desc(), Grant.id.desc()).limit(200)).all()
    audit.record_act(session, actor, "consent.grant.listed", facts={"lines": len(grants)})
    house = accounts.get_hospital(session, actor.house_id).name
    return [_view(grant, "", house) for grant in grants]


def end_locked(session: Session, actor: Actor, grant: Grant) -> None:
    """End a grant whose row is locked, and ask for what was copied under it; one that was ended stays as it is."""
    if grant.revoked_at is not None:
        return
    session.execute(
        update(Grant)
        .where(Grant.id == grant.id, Grant.revoked_at.is_(None))
        .values(revoked_at=clock.now(), version=Grant.version + 1)
    )
    session.refresh(grant)
    audit.record_act(
        session,
        actor,
        "consent.grant.revoked",
        subject_id=grant.person_id,
        of=("grant", grant.id),
        basis=(grant.id, grant.version),
    )
    receipts.ask_of_revoked(session, actor, grant_id=grant.id)


def show_grant(session: Session, grant: Grant) -> GrantView:
    """A grant that the caller has found among those which the actor may know."""
    return _show(session, [grant])[0]


def is_in_force(grant: Grant) -> bool:
    return _status(grant) is GrantStatus.IN_FORCE


def _conditions(wanted: GrantFilter) -> list[ColumnElement[bool]]:
    given = {name: value for name, value in vars(wanted).items() if value is not None}
    status, person_id = given.pop("status", None), given.pop("person_id", None)
    conditions: list[ColumnElement[bool]] = [getattr(Grant, name) == value for name, value in given.items()]
    if person_id is not None:
        conditions.append(Grant.person_id.in_(health_card.same_person_ids(person_id)))
    is_revoked, is_used_up = Grant.revoked_at.is_not(None), and_(Grant.uses_left.is_not(None), Grant.uses_left == 0)
    is_over = Grant.expires_at <= clock.now()
    if status is not None:
        conditions.append(
            {
                GrantStatus.REVOKED: is_revoked,
                GrantStatus.USED_UP: and_(~is_revoked, is_used_up),
                GrantStatus.EXPIRED: and_(~is_revoked, ~is_used_up, is_over),
                GrantStatus.IN_FORCE: and_(~is_revoked, ~is_used_up, ~is_over),
            }[status]
        )
    return conditions


def _show(session: Session, grants: Sequence[Grant]) -> list[GrantView]:
    hospitals = accounts.list_hospitals(session, {grant.hospital_id for grant in grants if grant.hospital_id})
    names = {id_: health_card.get_demographics(session, id_).name for id_ in {grant.person_id for grant in grants}}
    return [
        _view(grant, names[grant.person_id], hospitals[grant.hospital_id].name if grant.hospital_id else _LINK)
        for grant in grants
    ]


def _view(grant: Grant, person_name: str, hospital_name: str) -> GrantView:
    return GrantView(
        id=grant.id,
        person_id=grant.person_id,
        person_name=person_name,
        hospital_name=hospital_name,
        recipient=recipient_of(grant),
        scope=scope_of(grant),
        purpose=grant.purpose,
        opened_by=grant.opened_by,
        visit_id=grant.visit_id,
        request_id=grant.request_id,
        notice_hash=grant.notice_hash,
        version=grant.version,
        status=_status(grant),
        starts_at=grant.starts_at,
        expires_at=grant.expires_at,
        revoked_at=grant.revoked_at,
    )


def _status(grant: Grant) -> GrantStatus:
    if grant.revoked_at is not None:
        return GrantStatus.REVOKED
    if grant.uses_left == 0:
        return GrantStatus.USED_UP
    return GrantStatus.IN_FORCE if grant.expires_at > clock.now() else GrantStatus.EXPIRED
