"""The desk's pages of persons: find who is here, see how well he is known, and put right what is wrong."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for
from pydantic import Field
from sqlalchemy.orm import Session

from core import db
from core.actor import Actor
from core.api import Received
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires
from health_card.card_life.routes import ACTS
from health_card.card_life.service import change_card_at_desk, reissue_card_at_desk
from health_card.carriers.routes import resolve_carrier
from health_card.carriers.schemas import CarrierEnd, CarrierRead, CarrierRequest
from health_card.carriers.service.binding import bind_carrier, end_carrier
from health_card.certificates import CertificateType
from health_card.corrections.models import Reason
from health_card.corrections.schemas import CertificateRequest, ChangeShown, CorrectionRequest
from health_card.corrections.service import certificates, details, history
from health_card.desk.advice import advise
from health_card.desk.person_file import read_person_file
from health_card.desk.refusals import LookUpNotFound, RecordedDetailsDiffer
from health_card.desk.routes import counting_guesses, open_file, register_application
from health_card.desk.schemas import DeskApplication, DocumentRead, EndLogins, LookUpRequest, PersonFileShown
from health_card.desk.service.assurance import verify_document
from health_card.desk.service.logins import end_logins_at_desk, reset_pins_at_desk
from health_card.desk.words import CARRIER_KINDS, CERTIFICATE_TYPES, DONE, FIELDS, REASONS
from health_card.printing.routes import print_for_visitor
from health_card.printing.schemas import CardPrint

pages = Pages("person_pages", __name__)

Act = Callable[[Session, Actor], Any]


class CertificateChosen(Received):
    certificate_id: UUID


class CardChosen(Received):
    card_id: UUID
    act: str = Field(pattern="^(report-lost|restore|cancel|issue|reissue)$")


class CarrierChosen(CarrierEnd):
    carrier_id: UUID


@pages.get("/desk/persons")
@requires("health_card:person:look_up")
def show_entrance() -> Response:
    """Three ways to the person: the document, another card, or registering him."""
    return show_page("health_card/persons.html", **_words())


@pages.post("/desk/persons/look-up")
@requires("health_card:person:look_up")
def look_up() -> Response:
    """By the document in the registrar's hand."""
    return _enter("look-up", lambda: open_file(read_form(LookUpRequest)).look_up_id)


@pages.post("/desk/persons/resolve")
@requires("health_card:carrier:resolve")
def resolve() -> Response:
    """By another card."""
    return _enter("resolve", lambda: resolve_carrier(read_form(CarrierRead)).look_up_id)


@pages.post("/desk/persons/register")
@requires("health_card:person:register")
def register() -> Response:
    """Somebody who has no card yet."""
    return _enter("register", lambda: register_application(read_form(DeskApplication)).look_up_id)


@pages.get("/desk/persons/<uuid:look_up_id>")
@requires("health_card:person:look_up")
def show_person(look_up_id: UUID) -> Response:
    """The person of a look-up; ``?done=`` says what was just done."""
    return show_page(
        "health_card/person.html", done=DONE.get(request.args.get("done", "")), **_read(look_up_id), **_words()
    )


@pages.post("/desk/persons/<uuid:look_up_id>/verify")
@requires("health_card:person:verify")
def verify(look_up_id: UUID) -> Response:
    """The document was seen."""

    def act(session: Session, actor: Actor) -> None:
        document = read_form(DocumentRead).as_document()
        verify_document(session, actor, look_up_id=look_up_id, document=document)

    return _do(look_up_id, "verify", act)


@pages.post("/desk/persons/<uuid:look_up_id>/correct")
@requires("health_card:person:correct")
def correct(look_up_id: UUID) -> Response:
    """Details; what is left empty stays."""

    def act(session: Session, actor: Actor) -> None:
        body = read_form(CorrectionRequest)
        details.correct_details(
            session, actor, look_up_id=look_up_id, details=body.as_details(), reason=Reason(body.reason)
        )

    return _do(look_up_id, "correct", act)


@pages.post("/desk/persons/<uuid:look_up_id>/certificate")
@requires("health_card:person:correct")
def record_certificate(look_up_id: UUID) -> Response:
    """One more certificate, or one in the place of another."""

    def act(session: Session, actor: Actor) -> None:
        body = read_form(CertificateRequest)
        certificates.record_certificate(
            session,
            actor,
            look_up_id=look_up_id,
            document=body.as_document(),
            replaces=body.replaces,
            reason=Reason(body.reason),
        )

    return _do(look_up_id, "certificate", act)


@pages.post("/desk/persons/<uuid:look_up_id>/withdraw")
@requires("health_card:person:correct")
def withdraw_certificate(look_up_id: UUID) -> Response:
    """A certificate that was never his."""

    def act(session: Session, actor: Actor) -> None:
        chosen = read_form(CertificateChosen).certificate_id
        certificates.withdraw_certificate(session, actor, look_up_id=look_up_id, certificate_id=chosen)

    return _do(look_up_id, "withdraw", act)


@pages.post("/desk/persons/<uuid:look_up_id>/make-primary")
@requires("health_card:person:correct")
def make_certificate_primary(look_up_id: UUID) -> Response:
    """The certificate to show first."""

    def act(session: Session, actor: Actor) -> None:
        chosen = read_form(CertificateChosen).certificate_id
        certificates.make_primary(session, actor, look_up_id=look_up_id, certificate_id=chosen)

    return _do(look_up_id, "make-primary", act)


@pages.post("/desk/persons/<uuid:look_up_id>/card")
@requires("health_card:person_card:change")
def change_card(look_up_id: UUID) -> Response:
    """Lost, restored, cancelled, handed out, or issued anew."""

    def act(session: Session, actor: Actor) -> None:
        body = read_form(CardChosen)
        if body.act == "reissue":
            reissue_card_at_desk(session, actor, look_up_id=look_up_id, card_id=body.card_id)
        else:
            change_card_at_desk(session, actor, look_up_id=look_up_id, card_id=body.card_id, act=ACTS[body.act])

    return _do(look_up_id, request.form.get("act", ""), act)


@pages.post("/desk/persons/<uuid:look_up_id>/print")
@requires("health_card:person_card:print")
def print_card(look_up_id: UUID) -> Response:
    """The card on paper; the browser shows it in a window of its own, where it is printed."""
    try:
        return print_for_visitor(look_up_id, read_form(CardPrint))
    except LookUpNotFound as refusal:
        return _show_run_out(refusal)
    except Refusal as refusal:
        return _show_refused(look_up_id, "print", refusal)


@pages.post("/desk/persons/<uuid:look_up_id>/bind")
@requires("health_card:carrier:bind")
def bind(look_up_id: UUID) -> Response:
    """Another card leads to him from now on."""

    def act(session: Session, actor: Actor) -> None:
        body = read_form(CarrierRequest)
        bind_carrier(session, actor, look_up_id=look_up_id, kind=body.kind, number=body.number)

    return _do(look_up_id, "bind", act)


@pages.post("/desk/persons/<uuid:look_up_id>/end-carrier")
@requires("health_card:carrier:bind")
def unbind(look_up_id: UUID) -> Response:
    """Another card leads to him no longer."""

    def act(session: Session, actor: Actor) -> None:
        body = read_form(CarrierChosen)
        end_carrier(session, actor, look_up_id=look_up_id, carrier_id=body.carrier_id, reason=body.reason)

    return _do(look_up_id, "end-carrier", act)


@pages.post("/desk/persons/<uuid:look_up_id>/end-logins")
@requires("health_card:person_login:end")
def end_logins(look_up_id: UUID) -> Response:
    """A lost phone."""

    def act(session: Session, actor: Actor) -> None:
        until_confirmed = read_form(EndLogins).until_confirmed
        end_logins_at_desk(session, actor, look_up_id=look_up_id, until_confirmed=until_confirmed)

    return _do(look_up_id, "end-logins", act)


@pages.post("/desk/persons/<uuid:look_up_id>/pin-reset")
@requires("health_card:person_pin:reset")
def reset_pins(look_up_id: UUID) -> Response:
    """A forgotten PIN."""
    return _do(
        look_up_id, "pin-reset", lambda session, actor: reset_pins_at_desk(session, actor, look_up_id=look_up_id)
    )


def _enter(way: str, find: Callable[[], UUID]) -> Response:
    """Lead on to the person who was found, or show the entrance again with the reason."""
    try:
        look_up_id = find()
    except RecordedDetailsDiffer as refusal:
        look_up_id = UUID(refusal.members["look_up_id"])
        return show_refused(
            "health_card/person.html",
            refusal,
            advice=advise(refusal.code),
            differing=[(FIELDS[name], request.form.get(name, "")) for name in refusal.members["fields"]],
            **_read(look_up_id),
            **_words(),
        )
    except Refusal as refusal:
        return show_refused(
            "health_card/persons.html", refusal, advice=advise(refusal.code), way=way, form=request.form, **_words()
        )
    done = "register" if way == "register" else None
    return cast(Response, redirect(url_for("person_pages.show_person", look_up_id=look_up_id, done=done), 303))


def _do(look_up_id: UUID, name: str, act: Act) -> Response:
    """One act on the person; what happened is shown under the person's own address, a refusal in its place."""
    actor = current_actor()
    try:
        with counting_guesses(actor), db.transaction() as session:
            act(session, actor)
    except LookUpNotFound as refusal:
        return _show_run_out(refusal)
    except Refusal as refusal:
        return _show_refused(look_up_id, name, refusal)
    return cast(Response, redirect(url_for("person_pages.show_person", look_up_id=look_up_id, done=name), 303))


def _show_run_out(refusal: Refusal) -> Response:
    return show_refused("health_card/persons.html", refusal, advice=advise(refusal.code), way="", **_words())


def _show_refused(look_up_id: UUID, name: str, refusal: Refusal) -> Response:
    return show_refused(
        "health_card/person.html",
        refusal,
        advice=advise(refusal.code),
        refused_act=name,
        **_read(look_up_id),
        **_words(),
    )


def _read(look_up_id: UUID) -> dict[str, Any]:
    actor = current_actor()
    with db.transaction() as session:
        found = PersonFileShown.model_validate(read_person_file(session, actor, look_up_id))
        rows = history.list_changes_at_desk(session, actor, look_up_id=look_up_id)
        changes = [ChangeShown.model_validate(row) for row in rows]
    return {"file": found, "changes": changes}


def _words() -> dict[str, Any]:
    return {
        "certificate_types": {kind.value: CERTIFICATE_TYPES[kind] for kind in CertificateType},
        "carrier_kinds": CARRIER_KINDS,
        "field_words": FIELDS,
        "reason_words": REASONS,
    }
