"""A person says what is wrong in his records; the house that made it corrects it, or says why not, within a time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.rights.service import Hold, HoldCode
from core import audit, clock, outbox
from core.actor import SYSTEM, Actor
from core.vault import vault
from health_card import service as health_card
from health_card.service import NoticeKind
from records.rectifications.models import DeclineReason, RectificationRequest, RectificationState
from records.rectifications.refusals import (
    NotCorrectedYet,
    ReasonMissing,
    RectificationNotFound,
    RectificationNotYours,
    RectificationOver,
    RectificationUnderWay,
)
from records.timeline import service as timeline

DUE_TOPIC = "records.rectification_due"
PAGE = 50
_SEALED = "rectification_requests.text"


@dataclass(frozen=True)
class RectificationView:
    """A request. ``person_name``: masked. Texts are None for the operator, and once the person was deleted."""

    id: UUID
    person_id: UUID
    person_name: str
    patient_number: str | None
    hospital_name: str
    object_kind: str
    object_id: UUID
    object_version: int
    title: str | None
    wrong: str | None
    right: str | None
    note: str | None
    state: str
    reason: str | None
    corrected_version: int | None
    asked_at: datetime
    due_at: datetime
    is_overdue: bool
    escalated_at: datetime | None
    ended_at: datetime | None


def ask_for_rectification(
    session: Session, actor: Actor, *, object_id: UUID, wrong: str, right: str, days: int
) -> RectificationView:
    """Say what is wrong in an item and what is right; the house that made it has so many days to answer.

    :raises ItemNotFound: no such thing that the actor may see.
    :raises RectificationNotYours: he sees it, and does not decide for its person.
    :raises RectificationUnderWay: one about this item waits already.
    """
    item = timeline.get_item(session, actor, object_id=object_id)
    confided = health_card.confided_person_ids(actor).subquery()
    if session.scalar(select(confided.c.id).where(confided.c.id == item.person_id)) is None:
        raise RectificationNotYours
    # Of two at once the second waits here and finds the first.
    health_card.lock_root_id(session, item.person_id)
    waiting = RectificationRequest.object_id == object_id, RectificationRequest.state == RectificationState.ASKED
    if session.scalar(select(RectificationRequest.id).where(*waiting)) is not None:
        raise RectificationUnderWay
    now, (key, wrapped) = clock.now(), vault().new_key()
    request = RectificationRequest(
        person_id=item.person_id,
        hospital_id=item.hospital_id,
        object_kind=item.object_kind,
        object_id=object_id,
        object_version=item.version,
        asked_by=actor.id,
        asked_at=now,
        due_at=now + timedelta(days=days),
        data_key=wrapped,
        wrong_sealed=key.seal(wrong, context=_SEALED),
        right_sealed=key.seal(right, context=_SEALED),
    )
    session.add(request)
    session.flush()
    outbox.announce(session, DUE_TOPIC, {"request_id": str(request.id)}, due_at=request.due_at)
    _record(session, actor, "asked", request)
    return _show(session, [request])[0]


def withdraw_rectification(session: Session, actor: Actor, *, request_id: UUID) -> RectificationView:
    """Take a wish back that was not answered yet.

    :raises RectificationNotFound: none of a person for whom the actor decides.
    :raises RectificationOver: it was answered or withdrawn.
    """
    mine = RectificationRequest.person_id.in_(health_card.confided_person_ids(actor))
    request = _lock(session, select(RectificationRequest).where(RectificationRequest.id == request_id, mine))
    request.state, request.ended_at = RectificationState.WITHDRAWN.value, clock.now()
    _record(session, actor, "withdrawn", request)
    return _show(session, [request])[0]


def list_own(session: Session, actor: Actor, *, before: UUID | None = None) -> list[RectificationView]:
    """The wishes of the persons for whom the actor decides, newest first."""
    mine = RectificationRequest.person_id.in_(health_card.confided_person_ids(actor))
    return _show(session, _read(session, select(RectificationRequest).where(mine), before, None))


def list_of_house(
    session: Session, actor: Actor, *, before: UUID | None = None, is_open: bool | None = None
) -> list[RectificationView]:
    """What people say is wrong in what the actor's house made, newest first."""
    mine = select(RectificationRequest).where(RectificationRequest.hospital_id == actor.house_id)
    found = _read(session, mine, before, is_open)
    for person_id, lines in Counter(each.person_id for each in found).items():
        audit.record_act(session, actor, "records.rectification.listed", subject_id=person_id, facts={"lines": lines})
    numbers = {each.person_id: health_card.get_patient_number(session, actor, each.person_id) for each in found}
    return _show(session, found, numbers)


def list_escalated(
    session: Session, actor: Actor, *, before: UUID | None = None, is_open: bool | None = None
) -> list[RectificationView]:
    """Those that a house let pass, for the operator: which house, since when; not a word of what they say."""
    late = select(RectificationRequest).where(RectificationRequest.escalated_at.is_not(None))
    found = _read(session, late, before, is_open)
    audit.record_act(session, actor, "records.rectification.overseen", facts={"lines": len(found)})
    return _show(session, found, tells=False)


def answer_rectification(
    session: Session, actor: Actor, *, request_id: UUID, accepted: bool, reason: DeclineReason | None, note: str | None
) -> RectificationView:
    """The house accepts, once the corrected version is there, or declines and says why. The person is told.

    :raises RectificationNotFound: not about an item of the actor's house.
    :raises RectificationOver: it was answered or withdrawn.
    :raises ReasonMissing: declined without a reason, or accepted with one.
    :raises NotCorrectedYet: accepted, and the item is as it was. A study has no versions.
    """
    mine = RectificationRequest.hospital_id == actor.house_id
    request = _lock(session, select(RectificationRequest).where(RectificationRequest.id == request_id, mine))
    if accepted != (reason is None):
        raise ReasonMissing
    version = timeline.describe_items(session, {request.object_id})[request.object_id].version
    if accepted and request.object_kind != "study" and version <= request.object_version:
        raise NotCorrectedYet
    request.state = (RectificationState.ACCEPTED if accepted else RectificationState.DECLINED).value
    request.corrected_version = version if accepted else None
    request.reason = reason.value if reason else None
    if note and request.data_key is not None:
        request.note_sealed = vault().unwrap(request.data_key).seal(note, context=_SEALED)
    request.answered_by, request.ended_at = actor.id, clock.now()
    _record(session, actor, request.state, request)
    _tell(session, request, NoticeKind.RECTIFICATION_ANSWERED)
    return _show(
        session, [request], {request.person_id: health_card.get_patient_number(session, actor, request.person_id)}
    )[0]


def escalate_overdue(session: Session, *, request_id: UUID) -> None:
    """The time is over: what was not answered goes to the operator, and the person is told. Again: changes nothing."""
    request = session.scalars(
        select(RectificationRequest).where(RectificationRequest.id == request_id).with_for_update()
    ).one()
    is_late = request.state == RectificationState.ASKED and request.due_at <= clock.now()
    if is_late and request.escalated_at is None:
        request.escalated_at = clock.now()
        _record(session, SYSTEM, "escalated", request)
        _tell(session, request, NoticeKind.RECTIFICATION_OVERDUE)


def list_holds(session: Session, person_id: UUID) -> Iterator[Hold]:
    """A wish that waits for its answer stands in the way of deleting."""
    waiting = _of(person_id).where(RectificationRequest.state == RectificationState.ASKED)
    if session.scalars(waiting.limit(1)).one_or_none() is not None:
        yield Hold(HoldCode.RECTIFICATION_OPEN)


def forget_texts(session: Session, *, person_id: UUID) -> None:
    """Make what a person has written, and was answered, unreadable."""
    theirs = RectificationRequest.person_id.in_(health_card.same_person_ids(person_id))
    session.execute(update(RectificationRequest).where(theirs).values(data_key=None))


def _of(person_id: UUID) -> Select[tuple[RectificationRequest]]:
    theirs = RectificationRequest.person_id.in_(health_card.same_person_ids(person_id))
    return select(RectificationRequest).where(theirs)


def _read(
    session: Session, asked: Select[tuple[RectificationRequest]], before: UUID | None, is_open: bool | None
) -> Sequence[RectificationRequest]:
    if is_open is not None:
        waits = RectificationRequest.state == RectificationState.ASKED
        asked = asked.where(waits if is_open else ~waits)
    if before is not None:
        asked = asked.where(RectificationRequest.id < before)
    return session.scalars(asked.order_by(RectificationRequest.id.desc()).limit(PAGE)).all()


def _lock(session: Session, asked: Select[tuple[RectificationRequest]]) -> RectificationRequest:
    request = session.scalars(asked.with_for_update()).one_or_none()
    if request is None:
        raise RectificationNotFound
    if request.state != RectificationState.ASKED:
        raise RectificationOver
    return request


def _record(session: Session, actor: Actor, verb: str, request: RectificationRequest) -> None:
    audit.record_act(
        session,
        actor,
        f"records.rectification.{verb}",
        subject_id=request.person_id,
        of=(request.object_kind, request.object_id),
        facts={"request": str(request.id), "version": request.object_version},
    )


def _tell(session: Session, request: RectificationRequest, kind: NoticeKind) -> None:
    health_card.tell_person(
        session,
        person_id=request.person_id,
        kind=kind,
        hospital_id=request.hospital_id,
        of=("rectification_request", request.id),
        key=f"{kind}:{request.id}",
        own_only=True,
    )


def _show(
    session: Session,
    found: Sequence[RectificationRequest],
    numbers: dict[UUID, str | None] | None = None,
    *,
    tells: bool = True,
) -> list[RectificationView]:
    items = timeline.describe_items(session, {each.object_id for each in found}) if tells else {}
    hospitals = accounts.list_hospitals(session, {each.hospital_id for each in found})
    names = {id_: health_card.get_demographics(session, id_).name for id_ in {each.person_id for each in found}}
    texts = {each.id: _unseal(each) if tells else (None, None, None) for each in found}
    return [
        RectificationView(
            id=each.id,
            person_id=each.person_id,
            person_name=names[each.person_id],
            patient_number=(numbers or {}).get(each.person_id),
            hospital_name=hospitals[each.hospital_id].name,
            object_kind=each.object_kind,
            object_id=each.object_id,
            object_version=each.object_version,
            title=items[each.object_id].title if each.object_id in items else None,
            wrong=wrong,
            right=right,
            note=note,
            state=each.state,
            reason=each.reason,
            corrected_version=each.corrected_version,
            asked_at=each.asked_at,
            due_at=each.due_at,
            is_overdue=each.state == RectificationState.ASKED and each.due_at <= clock.now(),
            escalated_at=each.escalated_at,
            ended_at=each.ended_at,
        )
        for each in found
        for wrong, right, note in [texts[each.id]]
    ]


def _unseal(request: RectificationRequest) -> tuple[str | None, str | None, str | None]:
    if request.data_key is None:
        return None, None, None
    key = vault().unwrap(request.data_key)
    note = key.unseal(request.note_sealed, context=_SEALED) if request.note_sealed else None
    return (
        key.unseal(request.wrong_sealed, context=_SEALED),
        key.unseal(request.right_sealed, context=_SEALED),
        note,
    )
