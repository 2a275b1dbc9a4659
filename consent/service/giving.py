"""What a patient does with grants by himself: give one, and make one that is in force narrower."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.models import Grant, ItemKind, OpenedBy, Purpose, Sensitivity
from consent.refusals import (
    GrantChanged,
    GrantEnded,
    GrantNotFound,
    GrantPersonNotFound,
    GrantTooLong,
    GrantWider,
    ItemNotShareable,
    NothingToShare,
    RecipientNotFound,
)
from consent.scope import Recipient, Scope, scope_of
from consent.service import scoping
from consent.service.grants import GrantView, Origin, is_in_force, open_grant, show_grant
from consent.service.release import is_readable
from core import audit, clock
from core.actor import Actor
from health_card import service as health_card

LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class Narrowing:
    """What a grant is to say from now on; None: as it does."""

    kinds: frozenset[ItemKind] | None = None
    sensitivities: frozenset[Sensitivity] | None = None
    visit_ids: frozenset[UUID] | None = None
    item_ids: frozenset[UUID] | None = None
    since_on: date | None = None
    until_on: date | None = None
    may_download: bool | None = None
    uses: int | None = None
    expires_at: datetime | None = None

    def of(self, scope: Scope) -> Scope:
        """The scope with these changes."""
        changed = {name: value for name, value in vars(self).items() if value is not None and name != "expires_at"}
        return replace(scope, **changed)


def give_grant(
    session: Session,
    actor: Actor,
    *,
    person_id: UUID,
    recipient: Recipient,
    scope: Scope,
    purpose: Purpose,
    expires_at: datetime,
    notice_hash: str | None = None,
) -> GrantView:
    """A patient lets a hospital, a department of it or one of its staff see records.

    :raises GrantPersonNotFound: not a person whom the login decides for.
    :raises RecipientNotFound: no such hospital, department or staff member of it.
    :raises ItemNotShareable: a visit or an item that is named is not among what the login sees of this person.
    :raises GrantTooLong: for more than a year.
    :raises NothingToShare: the scope is empty, or the time is over.
    """
    check_may_give(session, actor, person_id=person_id)
    _check_recipient(session, recipient)
    check_shareable(session, actor, person_id=person_id, scope=scope)
    if expires_at > clock.now() + LONGEST:
        raise GrantTooLong
    return open_grant(
        session,
        actor,
        person_id=person_id,
        recipient=recipient,
        scope=scope,
        purpose=purpose,
        opened_by=OpenedBy.PATIENT,
        expires_at=expires_at,
        origin=Origin(notice_hash=notice_hash),
    )


def check_may_give(session: Session, actor: Actor, *, person_id: UUID) -> None:
    """:raises GrantPersonNotFound: not a person about whom the login learns everything, and decides: itself, a child
    under 14, an adult ward.
    """
    confided = health_card.confided_person_ids(actor).subquery()
    if session.scalar(select(confided.c.id).where(confided.c.id == person_id)) is None:
        raise GrantPersonNotFound


def check_shareable(session: Session, actor: Actor, *, person_id: UUID, scope: Scope) -> None:
    """Whether the login sees everything itself that the scope names one by one.

    :raises ItemNotShareable: something is not there.
    """
    thing = scoping.ITEMS
    named = (scope.item_ids or frozenset()) | (scope.visit_ids or frozenset())
    seen = select(func.count()).where(
        thing.c.object_id.in_(named),
        thing.c.person_id.in_(health_card.same_person_ids(person_id)),
        is_readable(actor, person_id=thing.c.person_id, object_id=thing.c.object_id),
    )
    if named and session.scalar(seen) != len(named):
        raise ItemNotShareable


def narrow_grant(session: Session, actor: Actor, *, grant_id: UUID, version: int, to: Narrowing) -> GrantView:
    """Let a grant in force show less from the next request on. The row is locked against readers, as at a revoke.

    :param version: the one that the patient has before his eyes.
    :raises GrantNotFound: not a grant of a person whom the actor may act for.
    :raises GrantChanged: it says something else by now.
    :raises GrantEnded: it is in force no longer.
    :raises GrantWider: something would be seen that is not seen now.
    :raises NothingToShare: nothing would be left; revoke it.
    """
    mine = Grant.id == grant_id, Grant.person_id.in_(health_card.held_person_ids(actor))
    grant = session.scalars(select(Grant).where(*mine).with_for_update()).one_or_none()
    if grant is None:
        raise GrantNotFound
    if grant.version != version:
        raise GrantChanged(version=grant.version)
    if not is_in_force(grant):
        raise GrantEnded
    scope, expires_at = to.of(scope_of(grant)), to.expires_at or grant.expires_at
    if not scope.is_within(scope_of(grant)) or expires_at > grant.expires_at:
        raise GrantWider
    if scope.is_empty or expires_at <= clock.now():
        raise NothingToShare
    changed = (
        update(Grant)
        .where(Grant.id == grant_id, Grant.version == version)
        .values(**scope.columns(), expires_at=expires_at, version=version + 1)
        .returning(Grant)
        .execution_options(populate_existing=True)
    )
    grant = session.scalars(changed).one()
    audit.record_act(
        session,
        actor,
        "consent.grant.narrowed",
        subject_id=grant.person_id,
        of=("grant", grant.id),
        purpose=grant.purpose,
        basis=(grant.id, grant.version),
    )
    return show_grant(session, grant)


def _check_recipient(session: Session, recipient: Recipient) -> None:
    house = recipient.hospital_id
    if house is None or house not in accounts.list_hospitals(session, {house}):
        raise RecipientNotFound
    if recipient.department is not None and recipient.department not in accounts.DEPARTMENTS:
        raise RecipientNotFound
    if recipient.staff_id is not None and not any(
        one.is_active
        for one in accounts.list_practitioners(session, hospital_id=house, ids={recipient.staff_id}, limit=1)
    ):
        raise RecipientNotFound
