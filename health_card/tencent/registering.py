"""Registering: the owner of a wechatCode, a relative of his, or somebody at a window; and newborns of both kinds."""

from sqlalchemy.orm import Session

from accounts import service as accounts
from core.actor import Actor
from health_card.family import service as family
from health_card.family.service import Member
from health_card.models import Card, Relation
from health_card.service.identities import get_root
from health_card.service.numbers import bind_patient_number
from health_card.service.persons import register_person
from health_card.service.windows import register_at_window
from health_card.showings import service as showings
from health_card.showings.models import UseKind
from health_card.showings.service import Use
from health_card.tencent import translation
from health_card.tencent.refusals import RelationAwaitsDesk
from health_card.tencent.schemas import Registered, Registration
from health_card.tencent.service import Scope, check_scope


def register(
    session: Session,
    actor: Actor,
    body: Registration,
    *,
    wechat: accounts.WechatIdentity | None,
    issuer: str,
    family_limit: int,
) -> Registered:
    """Register a person: the owner of the wechatCode, a relative of his, or somebody at a window without a phone.

    :param wechat: who WeChat says the owner of the wechatCode is.
    :param family_limit: how many persons a login may hold, itself included.
    :raises RelationAwaitsDesk: the relative is registered, and the login may not act for him yet.
    :raises CardNotInForce: the person has a card that is lost, cancelled or not issued.
    """
    check_scope(actor, Scope.REGISTER)
    if wechat is None:
        card, is_confirmed = _register_at_window(session, actor, body), False
    else:
        login = accounts.identify_wechat(session, wechat)
        card, is_confirmed = _register_on_phone(session, login, body, limit=family_limit)
    showings.check_in_force(card)
    # Only the login that may act for the person brings its phone along; one that waits for a desk is as none.
    channel = "phone" if is_confirmed else "window"
    showings.record_use(session, actor, card=card, use=Use(UseKind.REGISTERED, channel=channel))
    if body.patid:
        bind_patient_number(session, actor, person_id=card.person_id, number=body.patid)
    return translation.describe_registered(card, str(get_root(session, card.person_id).id), issuer)


def _register_at_window(session: Session, actor: Actor, body: Registration) -> Card:
    if body.child_info and body.id_number is None:
        newborn = translation.read_newborn(body, body.child_info)
        return family.register_newborn_at_window(session, actor, newborn=newborn, phone=body.phone1).card
    return register_at_window(session, actor, details=translation.read_details(body)).card


def _register_on_phone(session: Session, login: Actor, body: Registration, *, limit: int) -> tuple[Card, bool]:
    """The card, and whether the login may act for its person."""
    relation = translation.read_relation(body)
    if body.child_info and body.id_number is None:
        newborn = translation.read_newborn(body, body.child_info)
        # Of a newborn the sender need not say that it is a child.
        to_owner = relation if body.relation else Relation.CHILD
        member, _ = family.register_newborn(session, login, newborn=newborn, relation=to_owner, limit=limit)
        return _get_card(session, member), True
    details = translation.read_details(body)
    if relation is Relation.SELF:
        done = register_person(session, login, details=details)
        return done.card, done.is_confirmed
    member, _ = family.add_relative(session, login, details=details, relation=relation, limit=limit)
    return _get_card(session, member), True


def _get_card(session: Session, member: Member) -> Card:
    """The card of a relative for whom the login may act.

    :raises RelationAwaitsDesk: it may not yet.
    """
    if not member.is_confirmed:
        raise RelationAwaitsDesk
    card = showings.find_living_card(session, member.person_id)
    assert card is not None
    return card
