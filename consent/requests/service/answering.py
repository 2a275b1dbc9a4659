"""The person answers: all of it, a part of it, or no."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import service as consent
from consent.models import ItemKind, OpenedBy, Purpose, Sensitivity
from consent.policies import service as policies
from consent.requests.models import AccessRequest, RequestReason, RequestState
from consent.requests.refusals import AccessRequestNotFound, WiderThanAsked
from consent.requests.service.ending import end_request, over, record
from consent.requests.service.reading import recipient_of, scope_of
from consent.scope import Recipient, Scope
from core.actor import Actor
from health_card import service as health_card


@dataclass(frozen=True)
class Part:
    """Which part of a request is granted; None: as it was asked. What is sensitive has to be named.

    :ivar access_until: at the latest; what was asked for ends earlier all the same.
    :ivar only_asker: the doctor who asked, also where he asked for his department or hospital.
    """

    kinds: frozenset[ItemKind] | None = None
    sensitivities: frozenset[Sensitivity] = frozenset()
    visit_ids: frozenset[UUID] | None = None
    item_ids: frozenset[UUID] | None = None
    since_on: date | None = None
    until_on: date | None = None
    may_download: bool | None = None
    uses: int | None = None
    access_until: datetime | None = None
    only_asker: bool = False

    def of(self, asked: Scope) -> Scope:
        """What is granted of this; it may be wider, which the caller finds out."""
        return Scope(
            kinds=asked.kinds if self.kinds is None else self.kinds,
            sensitivities=self.sensitivities,
            visit_ids=asked.visit_ids if self.visit_ids is None else self.visit_ids,
            item_ids=asked.item_ids if self.item_ids is None else self.item_ids,
            since_on=self.since_on or asked.since_on,
            until_on=self.until_on or asked.until_on,
            may_download=asked.may_download if self.may_download is None else self.may_download,
            uses=asked.uses if self.uses is None else self.uses,
        )


def grant_request(session: Session, actor: Actor, *, request_id: UUID, version: int, part: Part) -> consent.GrantView:
    """Grant a request, or a part of it: its grant is opened now. Of two answers one counts.

    :param version: that was read.
    :raises AccessRequestNotFound: not to a person for whom the login decides.
    :raises RequestOver: answered, withdrawn or over.
    :raises WiderThanAsked: more than was asked for.
    :raises NothingToShare: the part is empty, or its time is over.
    """
    asked = _lock(session, actor, request_id, version)
    asked_scope, asked_for = scope_of(asked), recipient_of(asked)
    scope, recipient = part.of(asked_scope), asked_for
    if part.only_asker and asked.asked_by is not None:
        recipient = Recipient(asked.hospital_id, asked.department, asked.asked_by)
    if not (scope.is_within(asked_scope) and recipient.is_within(asked_for)):
        raise WiderThanAsked
    end_request(session, asked, RequestState.GRANTED, login_id=actor.id)
    record(session, actor, asked)
    return consent.open_grant(
        session,
        actor,
        person_id=asked.person_id,
        recipient=recipient,
        scope=scope,
        purpose=Purpose(asked.purpose),
        opened_by=OpenedBy.REQUEST,
        expires_at=min(part.access_until or asked.access_until, asked.access_until),
        origin=consent.Origin(
            # What a code asked for ends with its visit, as if the code had opened it.
            visit_id=asked.visit_id if asked.reason == RequestReason.CODE else None,
            request_id=asked.id,
            notice_hash=asked.notice_hash,
        ),
    )


def deny_request(
    session: Session, actor: Actor, *, request_id: UUID, version: int, blocks_hospital: bool = False
) -> None:
    """Say no.

    :param blocks_hospital: nor may this hospital ask again (``policies.block_hospital``).
    :raises AccessRequestNotFound, RequestOver: as ``grant_request``.
    """
    asked = _lock(session, actor, request_id, version)
    end_request(session, asked, RequestState.DENIED, login_id=actor.id)
    record(session, actor, asked)
    if blocks_hospital:
        policies.block_hospital(session, actor, person_id=asked.person_id, hospital_id=asked.hospital_id)


def _lock(session: Session, actor: Actor, request_id: UUID, version: int) -> AccessRequest:
    confided = health_card.confided_person_ids(actor)
    mine = select(AccessRequest).where(AccessRequest.id == request_id, AccessRequest.person_id.in_(confided))
    locked = mine.with_for_update().execution_options(populate_existing=True)
    asked = session.scalars(locked).one_or_none()
    if asked is None:
        raise AccessRequestNotFound
    if asked.version != version:
        raise over(session, asked)
    return asked
