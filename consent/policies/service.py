"""Choosing what hospitals that treat a person see, and holding what is open already to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.models import ITEM_KINDS, Grant, ItemKind, OpenedBy
from consent.policies.models import NoticeText, RequestBlock, SharingPolicy, Treating
from consent.policies.refusals import (
    HospitalUnknown,
    NoticeOutdated,
    NoticeTextNotFound,
    PolicyChanged,
    PolicyPersonNotFound,
)
from consent.service.grants import end_locked
from core import audit, clock
from core.actor import Actor
from health_card import service as health_card

STANDING_POLICY = "standing_policy"


@dataclass(frozen=True)
class Notice:
    """A text that is shown before somebody agrees, and its SHA-256 in hexadecimal digits."""

    hash: str
    kind: str
    text: str
    published_at: datetime


@dataclass(frozen=True)
class Choice:
    """What a person wants: the rule, where it is another one, and what no code shares with anybody."""

    treating: Treating
    by_hospital: Mapping[UUID, Treating]
    excluded_kinds: frozenset[ItemKind]

    def of_hospital(self, hospital_id: UUID) -> Treating:
        return self.by_hospital.get(hospital_id, self.treating)


_UNSAID = Choice(Treating.YES, {}, frozenset())


@dataclass(frozen=True)
class Policy:
    """How a person's standing policy reads. ``version`` is 0 and ``changed_at`` None as long as nobody chose anything.

    :ivar person_name: masked.
    :ivar hospital_names: of all that ``choice`` and ``blocked`` name, by id.
    :ivar blocked: the hospitals that may not ask.
    :ivar agreed_hash: of the text that was shown when this was chosen.
    :ivar notice: the newest one, to be shown before it is changed.
    """

    person_id: UUID
    person_name: str
    choice: Choice
    blocked: frozenset[UUID]
    hospital_names: Mapping[UUID, str]
    version: int
    changed_at: datetime | None
    agreed_hash: str
    notice: Notice


@dataclass(frozen=True)
class ChangedPolicy:
    """The policy after a change, and which grants in force ended or became narrower by it."""

    policy: Policy
    ended_grant_ids: list[UUID]
    narrowed_grant_ids: list[UUID]


def get_policy(session: Session, actor: Actor, *, person_id: UUID | None = None) -> Policy:
    """What hospitals see by a code of this person.

    :param person_id: None: the login's own.
    :raises PolicyPersonNotFound: nobody for whom the login decides.
    """
    root_id = _find_confided(session, actor, person_id)
    return _show(session, root_id)


def change_policy(
    session: Session, actor: Actor, *, person_id: UUID | None, choice: Choice, version: int, notice_hash: str
) -> ChangedPolicy:
    """Choose anew. It holds from the next request on, for grants that codes have opened too.

    What the new choice would not give ends, or becomes narrower; locked against readers as in ``revoke_grant``. What
    the patient granted himself or upon a request stays until he revokes it. A scan that is under way is waited for.

    :param version: that ``get_policy`` told.
    :param notice_hash: of the newest notice, which was shown.
    :raises PolicyPersonNotFound: nobody for whom the login decides.
    :raises PolicyChanged: it was changed since.
    :raises NoticeOutdated: the notice that was shown is not the newest.
    :raises HospitalUnknown: a hospital that is named does not exist.
    """
    root_id = _find_confided(session, actor, person_id)
    named = set(choice.by_hospital)
    if accounts.list_hospitals(session, named).keys() != named:
        raise HospitalUnknown
    if get_newest_notice(session, STANDING_POLICY).hash != notice_hash:
        raise NoticeOutdated
    records = sorted(session.scalars(health_card.same_person_ids(root_id)))
    for record_id in records:
        health_card.take_turn(session, record_id)
    said = _find_said(session, root_id)
    if version != (said.version if said else 0):
        raise PolicyChanged
    _write(session, actor, records, choice, notice_hash)
    audit.record_act(
        session,
        actor,
        "consent.policy.changed",
        subject_id=root_id,
        of=("sharing_policy", root_id),
        facts={"treating": choice.treating, "excluded_kinds": sorted(choice.excluded_kinds)},
    )
    ended, narrowed = _hold_grants(session, actor, records, choice)
    return ChangedPolicy(_show(session, root_id), ended, narrowed)


def block_hospital(session: Session, actor: Actor, *, person_id: UUID | None, hospital_id: UUID) -> Policy:
    """This hospital may not ask the person any more, until it is let again. Saying it again changes nothing.

    :raises PolicyPersonNotFound: nobody for whom the login decides.
    :raises HospitalUnknown: no such hospital.
    """
    root_id = _find_confided(session, actor, person_id)
    if not accounts.list_hospitals(session, {hospital_id}):
        raise HospitalUnknown
    block = {"hospital_id": hospital_id, "blocked_by": actor.id, "blocked_at": clock.now()}
    records = session.scalars(health_card.same_person_ids(root_id)).all()
    new = insert(RequestBlock).values([{"person_id": record_id} | block for record_id in records])
    if session.scalars(new.on_conflict_do_nothing().returning(RequestBlock.person_id)).all():
        _record_block(session, actor, "consent.hospital.blocked", root_id, hospital_id)
    return _show(session, root_id)


def let_hospital_ask(session: Session, actor: Actor, *, person_id: UUID | None, hospital_id: UUID) -> Policy:
    """Undo ``block_hospital``.

    :raises PolicyPersonNotFound: nobody for whom the login decides.
    """
    root_id = _find_confided(session, actor, person_id)
    blocked = delete(RequestBlock).where(
        RequestBlock.person_id.in_(health_card.same_person_ids(root_id)), RequestBlock.hospital_id == hospital_id
    )
    removed = blocked.returning(RequestBlock.person_id).execution_options(synchronize_session=False)
    if session.scalars(removed).all():
        _record_block(session, actor, "consent.hospital.unblocked", root_id, hospital_id)
    return _show(session, root_id)


def is_blocked(session: Session, *, person_id: UUID, hospital_id: UUID) -> bool:
    """Whether the person has said that this hospital may not ask."""
    blocked = select(RequestBlock.person_id).where(
        RequestBlock.person_id.in_(health_card.same_person_ids(person_id)), RequestBlock.hospital_id == hospital_id
    )
    return session.scalar(blocked.limit(1)) is not None


def get_notice(session: Session, text_hash: str) -> Notice:
    """A text that somebody was shown.

    :raises NoticeTextNotFound: none has this hash.
    """
    found = session.get(NoticeText, text_hash)
    if found is None:
        raise NoticeTextNotFound
    return Notice(found.hash, found.kind, found.text, found.published_at)


def get_newest_notice(session: Session, kind: str) -> Notice:
    """The text of this kind that is shown now."""
    newest = select(NoticeText).where(NoticeText.kind == kind).order_by(NoticeText.published_at.desc()).limit(1)
    found = session.scalars(newest).one()
    return Notice(found.hash, found.kind, found.text, found.published_at)


def _find_confided(session: Session, actor: Actor, person_id: UUID | None) -> UUID:
    """The record that stands for the person, when the login decides for him."""
    wanted = person_id or health_card.find_own_person_id(session, actor)
    if wanted is None or wanted not in set(session.scalars(health_card.confided_person_ids(actor))):
        raise PolicyPersonNotFound
    return health_card.list_roots(session, {wanted})[wanted]


def _find_said(session: Session, person_id: UUID) -> SharingPolicy | None:
    """The newest word of all records of the person, as ``standing.STANDING`` finds it."""
    newest_first = (
        select(SharingPolicy)
        .where(SharingPolicy.person_id.in_(health_card.same_person_ids(person_id)))
        .order_by(SharingPolicy.changed_at.desc(), SharingPolicy.version.desc())
        .limit(1)
    )
    return session.scalars(newest_first, execution_options={"populate_existing": True}).one_or_none()


def _write(session: Session, actor: Actor, records: list[UUID], choice: Choice, notice_hash: str) -> None:
    """To each record of the person: should they part again, each keeps it."""
    theirs = select(SharingPolicy.version).where(SharingPolicy.person_id.in_(records))
    version = max(session.scalars(theirs), default=0) + 1
    said = {
        "version": version,
        "treating": choice.treating,
        "by_hospital": {str(hospital_id): treating.value for hospital_id, treating in choice.by_hospital.items()},
        "excluded_kinds": sorted(choice.excluded_kinds),
        "notice_hash": notice_hash,
        "changed_by": actor.id,
        "changed_at": clock.now(),
    }
    new = insert(SharingPolicy).values([{"person_id": record_id} | said for record_id in records])
    session.execute(
        new.on_conflict_do_update(index_elements=["person_id"], set_={name: new.excluded[name] for name in said})
    )


def _hold_grants(session: Session, actor: Actor, records: list[UUID], choice: Choice) -> tuple[list[UUID], list[UUID]]:
    """End or narrow what codes have opened, also what has expired: the next scan of its visit would extend it."""
    opened = select(Grant).where(
        Grant.person_id.in_(records), Grant.opened_by == OpenedBy.CODE, Grant.revoked_at.is_(None)
    )
    ended: list[UUID] = []
    narrowed: list[UUID] = []
    allowed = {ItemKind(kind) for kind in ITEM_KINDS} - choice.excluded_kinds
    locked = opened.order_by(Grant.id).with_for_update()
    for grant in session.scalars(locked, execution_options={"populate_existing": True}).all():
        assert grant.hospital_id is not None
        left = allowed if grant.kinds is None else allowed & {ItemKind(kind) for kind in grant.kinds}
        if choice.of_hospital(grant.hospital_id) is not Treating.YES or not left:
            end_locked(session, actor, grant)
            ended.append(grant.id)
        elif len(left) < len(ITEM_KINDS if grant.kinds is None else grant.kinds):
            grant.kinds, grant.version = sorted(left), grant.version + 1
            narrowed.append(grant.id)
            of, basis = ("grant", grant.id), (grant.id, grant.version)
            session.flush()
            audit.record_act(session, actor, "consent.grant.narrowed", subject_id=grant.person_id, of=of, basis=basis)
    return ended, narrowed


def _record_block(session: Session, actor: Actor, action: str, person_id: UUID, hospital_id: UUID) -> None:
    audit.record_act(session, actor, action, subject_id=person_id, of=("hospital", hospital_id))


def _show(session: Session, root_id: UUID) -> Policy:
    said, notice = _find_said(session, root_id), get_newest_notice(session, STANDING_POLICY)
    choice = _UNSAID
    if said is not None:
        by_hospital = {UUID(hospital_id): Treating(each) for hospital_id, each in said.by_hospital.items()}
        choice = Choice(Treating(said.treating), by_hospital, frozenset(map(ItemKind, said.excluded_kinds)))
    blocks = select(RequestBlock.hospital_id).where(RequestBlock.person_id.in_(health_card.same_person_ids(root_id)))
    blocked = frozenset(session.scalars(blocks))
    hospitals = accounts.list_hospitals(session, set(choice.by_hospital) | blocked)
    return Policy(
        person_id=root_id,
        person_name=health_card.get_demographics(session, root_id).name,
        choice=choice,
        blocked=blocked,
        hospital_names={hospital_id: hospital.name for hospital_id, hospital in hospitals.items()},
        version=said.version if said else 0,
        changed_at=said.changed_at if said else None,
        agreed_hash=said.notice_hash if said else notice.hash,
        notice=notice,
    )
