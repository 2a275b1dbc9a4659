"""The desk page on which it is checked who may act for whom."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from flask import Response, request
from sqlalchemy.orm import Session

from core import db, limits
from core.actor import Actor
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires
from health_card.family import service
from health_card.family.routes import LOOK_UPS_PER_MINUTE
from health_card.family.schemas import Confirmation, DeskHolderShown, OwnCertificate, Refused, VisitorNamed

pages = Pages("family_pages", __name__)

TEMPLATE = "health_card/holders.html"
PAGE = "/desk/holders"

# What a form of this page carries on: whose document lies on the desk, or whose phone has confirmed.
_DOCUMENT = ("certificate_type", "certificate_number", "country", "look_up_id")

Form = TypeVar("Form", bound=VisitorNamed)


@pages.get(PAGE)
@requires("health_card:holder:check")
def show_holders() -> Response:
    """Asks for the document of the one who stands at the desk."""
    return show_page(TEMPLATE, document={}, holders=None)


@pages.post(PAGE)
@requires("health_card:holder:check")
def look_up() -> Response:
    """Who acts, or waits to, around the person of this document."""
    return _answer(VisitorNamed)


@pages.get(f"{PAGE}/visitors/<uuid:look_up_id>")
@requires("health_card:holder:check")
def show_visitor(look_up_id: UUID) -> Response:
    """The same for who confirmed on his phone at a visit."""
    document = {"look_up_id": str(look_up_id)}
    holders = _list(current_actor(), VisitorNamed.model_validate(document))
    return show_page(TEMPLATE, document=document, holders=holders)


@pages.post(f"{PAGE}/<uuid:holder_id>/confirm")
@requires("health_card:holder:check")
def confirm(holder_id: UUID) -> Response:
    """Confirm on proof."""

    def act(session: Session, actor: Actor, body: Confirmation) -> None:
        service.confirm_holder(
            session,
            actor,
            visitor=body.as_visitor(),
            holder_id=holder_id,
            proof=body.proof,
            person_was_present=body.person_was_present,
        )

    return _answer(Confirmation, act, done="已确认,对方的微信即刻可以使用健康卡。")


@pages.post(f"{PAGE}/<uuid:holder_id>/refuse")
@requires("health_card:holder:check")
def refuse(holder_id: UUID) -> Response:
    """Refuse, or end who never proved it."""

    def act(session: Session, actor: Actor, body: Refused) -> None:
        service.refuse_holder(session, actor, visitor=body.as_visitor(), holder_id=holder_id, reason=body.reason)

    return _answer(Refused, act, done="已拒绝,该微信不能使用这张健康卡。")


@pages.post(f"{PAGE}/<uuid:holder_id>/certificate")
@requires("health_card:holder:check")
def give_certificate(holder_id: UUID) -> Response:
    """Give a newborn its own number."""

    def act(session: Session, actor: Actor, body: OwnCertificate) -> None:
        service.give_certificate(
            session,
            actor,
            visitor=body.as_visitor(),
            holder_id=holder_id,
            certificate=body.as_certificate(),
            name=body.child_name,
        )

    return _answer(OwnCertificate, act, done="已登记证件,健康卡不变。")


def _answer(
    schema: type[Form], act: Callable[[Session, Actor, Form], None] | None = None, *, done: str | None = None
) -> Response:
    """Do what the form asks, then show the list again: the number of a document never stands in an address."""
    document = {name: request.form.get(name, "") for name in _DOCUMENT}
    actor = current_actor()
    try:
        if act is None:
            limits.count("holder_look_ups", str(actor.id), per_minute=LOOK_UPS_PER_MINUTE)
        body = read_form(schema)
        if act is not None:
            with db.transaction() as session:
                act(session, actor, body)
        return show_page(TEMPLATE, document=document, holders=_list(actor, body), done=done)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, document=document, holders=_list_again(actor) if act else None)


def _list_again(actor: Actor) -> list[DeskHolderShown] | None:
    """After a refusal the list stays where it was, unless the document itself could not be read."""
    sent = {name: text for name in _DOCUMENT if (text := request.form.get(name, "").strip())}
    try:
        return _list(actor, VisitorNamed.model_validate(sent))
    except (Refusal, ValueError):
        return None


def _list(actor: Actor, document: VisitorNamed) -> list[DeskHolderShown]:
    with db.transaction() as session:
        found = service.list_holders_at_desk(session, actor, visitor=document.as_visitor())
    return [DeskHolderShown.of(holder) for holder in found]
