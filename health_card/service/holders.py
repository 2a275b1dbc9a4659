"""By what relation a login acts for a person."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from core.actor import Actor
from health_card.models import Holder, Person, Relation
from health_card.service.ages import CONSENT_AGE, LifeStage, birthday, life_stage
from health_card.service.identities import get_root, same_person_ids
from health_card.service.persons import is_holding

GUARDIAN_RELATIONS = frozenset({Relation.CHILD, Relation.WARD})


@dataclass(frozen=True)
class Holding:
    """What the person is to the login, and until when it may act (None: until somebody ends it)."""

    relation: Relation
    valid_until: datetime | None

    @property
    def is_self(self) -> bool:
        return self.relation is Relation.SELF


def find_holding(session: Session, actor: Actor, person_id: UUID) -> Holding | None:
    """By what relation the login acts for the person now; None when it may not. Its own person comes first."""
    mine = select(Holder).where(
        Holder.login_id == actor.id, Holder.person_id.in_(same_person_ids(person_id)), is_holding()
    )
    held = session.scalars(mine.order_by(Holder.relation != Relation.SELF, Holder.created_at).limit(1)).one_or_none()
    return Holding(Relation(held.relation), held.valid_until) if held else None


def find_decision_end(session: Session, actor: Actor, person_id: UUID) -> datetime | None:
    """Until when it holds what this login allows others about the person: of a child to its 14th birthday, from which
    on it is asked itself (PIPL 31). None: no age ends it.
    """
    held = find_holding(session, actor, person_id)
    born = get_root(session, person_id).birth_date
    if held is None or held.is_self or born is None or life_stage(born) is not LifeStage.CHILD:
        return None
    return birthday(born, CONSENT_AGE)


def get_life_stage(session: Session, person_id: UUID) -> LifeStage:
    """Whether the person is a child, a minor or an adult now."""
    return life_stage(get_root(session, person_id).birth_date)


def list_relations(session: Session, logins: set[UUID], person_ids: set[UUID]) -> dict[tuple[UUID, UUID], Relation]:
    """What each person is, or was, to each login that was ever confirmed for him, by (login, person)."""
    held, member = aliased(Person), aliased(Person)
    rows = session.execute(
        select(Holder.login_id, member.id, Holder.relation)
        .join(held, held.id == Holder.person_id)
        .join(member, member.root_id == held.root_id)
        .where(Holder.login_id.in_(logins), member.id.in_(person_ids), Holder.confirmed_at.is_not(None))
        .order_by(Holder.relation == Relation.SELF, Holder.created_at)
    ).tuples()
    # Of several the last one stands: its own person, or else the newest.
    return {(login_id, person_id): Relation(relation) for login_id, person_id, relation in rows}
