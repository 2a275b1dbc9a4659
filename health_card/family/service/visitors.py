"""Who stands at the desk: known by the document that he shows, or by what he has just confirmed on his own phone."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, false, or_, select
from sqlalchemy.orm import Session

from core.actor import Actor
from health_card.certificates import Certificate
from health_card.confirmation.service.uses import consume_confirmation
from health_card.desk.models import LookUp, Way
from health_card.desk.refusals import DocumentNotSeen, LookUpNotFound
from health_card.desk.service.look_ups import find_seen_document, get_look_up, open_look_up
from health_card.family.refusals import RegisterYourselfFirst
from health_card.family.service.holding import find_self_id, is_living
from health_card.family.service.members import is_proven
from health_card.models import Holder, Person, Relation
from health_card.service.identities import find_by_certificate, same_person_ids, same_persons
from health_card.service.persons import is_holding


@dataclass(frozen=True)
class Visitor:
    """Who stands at the desk, by his document, or by the look-up that his phone opened (``open_confirmed_look_up``)."""

    certificate: Certificate | None = None
    look_up_id: UUID | None = None


@dataclass(frozen=True)
class Known:
    """A visitor as the platform knows him.

    :ivar person_id: None when his document is nobody's.
    :ivar is_by_phone: his phone said who he is; nobody has compared a document with him for that.
    :ivar was_proven: a desk has confirmed that very login before. Whoever registers a person first is not asked for
        proof, and a record that was checked says nothing about him.
    :ivar is_seen: his document was verified within this very look-up.
    """

    person_id: UUID | None
    is_by_phone: bool = False
    was_proven: bool = False
    is_seen: bool = False

    @property
    def is_identified(self) -> bool:
        """Whether this is enough to change who acts for whom."""
        return not self.is_by_phone or self.was_proven or self.is_seen


def open_confirmed_look_up(session: Session, actor: Actor, *, person_id: UUID) -> LookUp:
    """Use up what was confirmed for this person at the actor's desk: whoever did is the visitor for 15 minutes.

    That is the person himself, or somebody who acts for him and showed his card.

    :raises NotConfirmed: see ``consume_confirmation``.
    :raises RegisterYourselfFirst: the login that confirmed is nobody itself any more.
    """
    confirmed = consume_confirmation(session, actor, purpose="account", person_id=person_id)
    own_id = find_self_id(session, confirmed.login_id)
    if own_id is None:
        raise RegisterYourselfFirst
    return open_look_up(session, actor, person_id=own_id, way=Way.CONFIRMATION, login_id=confirmed.login_id)


def know_visitor(session: Session, actor: Actor, visitor: Visitor) -> Known:
    """:raises LookUpNotFound: no look-up of this hospital that a phone has opened, or it has run out."""
    if visitor.look_up_id is None:
        assert visitor.certificate is not None
        return Known(find_by_certificate(session, visitor.certificate))
    found = get_look_up(session, actor, visitor.look_up_id)
    if found.way != Way.CONFIRMATION:
        raise LookUpNotFound
    return Known(
        found.person_id,
        is_by_phone=True,
        was_proven=_is_proven_self(session, found),
        is_seen=find_seen_document(session, actor, found.id) is not None,
    )


def know_identified(session: Session, actor: Actor, visitor: Visitor) -> Known:
    """As ``know_visitor``, for acts that change something.

    :raises LookUpNotFound: see ``know_visitor``.
    :raises DocumentNotSeen: only his phone says who he is, and no desk has ever confirmed that.
    """
    known = know_visitor(session, actor, visitor)
    if not known.is_identified:
        raise DocumentNotSeen
    return known


def own_ids(known: Known) -> Select[tuple[UUID]]:
    """The records of the visitor himself."""
    return same_person_ids(known.person_id) if known.person_id is not None else select(Person.id).where(false())


def is_of_visitor(known: Known) -> ColumnElement[bool]:
    """The holders of the visitor's own login, and those of the visitor's own person."""
    own = own_ids(known)
    return or_(Holder.person_id.in_(own), Holder.login_id.in_(_logins_of(own)))


def is_around_visitor(known: Known) -> ColumnElement[bool]:
    """Who acts, or waits to, for the visitor and for those whom the visitor acts for, or waits to."""
    own = own_ids(known)
    held = same_persons(select(Holder.person_id).where(Holder.login_id.in_(_logins_of(own)), is_living()))
    return or_(Holder.person_id.in_(own), Holder.person_id.in_(held))


def is_visitors(session: Session, known: Known, holder: Holder) -> bool:
    """Whether it is a holder of the visitor's own login or person."""
    return bool(session.scalar(select(exists().where(Holder.id == holder.id, is_of_visitor(known)))))


def is_visitor_himself(session: Session, known: Known, holder: Holder) -> bool:
    """Whether the holder is one of the visitor's own person."""
    return bool(session.scalar(select(exists().where(Holder.id == holder.id, Holder.person_id.in_(own_ids(known))))))


def _is_proven_self(session: Session, look_up: LookUp) -> bool:
    own = Holder.person_id.in_(same_person_ids(look_up.person_id)), Holder.relation == Relation.SELF, is_holding()
    holder = session.scalars(select(Holder).where(Holder.login_id == look_up.login_id, *own)).one_or_none()
    return holder is not None and is_proven(session, holder)


def _logins_of(own: Select[tuple[UUID]]) -> Select[tuple[UUID]]:
    return select(Holder.login_id).where(Holder.person_id.in_(own), Holder.relation == Relation.SELF, is_holding())
