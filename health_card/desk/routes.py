"""The machine interface of a registrar's desk: who is in front of it, and how well is he known."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response

from core import db, limits
from core.actor import Actor
from core.api import Api
from core.web import current_actor, present, requires
from health_card.desk.models import LookUp
from health_card.desk.person_file import PersonFile, read_person_file
from health_card.desk.refusals import DocumentNotTheirs, PersonNotFound, RecordedDetailsDiffer
from health_card.desk.schemas import (
    AssuranceShown,
    DeskApplication,
    DeskRegistrationShown,
    DocumentRead,
    EndedShown,
    EndLogins,
    LookUpPath,
    LookUpRequest,
    PersonFileShown,
    PinsClearedShown,
)
from health_card.desk.service.assurance import verify_document
from health_card.desk.service.logins import end_logins_at_desk, end_other_logins, reset_pins_at_desk
from health_card.desk.service.look_ups import look_up_by_certificate
from health_card.desk.service.registration import DeskRegistration, register_at_desk
from health_card.models import ApplyChannel

api = Api("health_card_desk", tag="Desk: persons 窗口：居民", url_prefix="/api/v1")

# A registrar serves people; who looks up more than that is searching.
LOOK_UPS_PER_MINUTE = 20
FAILURES_PER_MINUTE = 10

_CHANNELS = {"kiosk": ApplyChannel.KIOSK, "window": ApplyChannel.WINDOW}


@api.post("/desk/registrations", responses={200: DeskRegistrationShown, 201: DeskRegistrationShown})
@requires("health_card:person:register")
def register(body: DeskApplication) -> Response:
    """Register the person whose document was read, and give out the card; again: the same card"""
    done = register_application(body)
    return present(DeskRegistrationShown.of(done), 201 if done.is_new else 200)


def register_application(body: DeskApplication) -> DeskRegistration:
    """The registration itself, shared with the desk page: nobody finds out a name or phone by trying."""
    actor = current_actor()
    guessing = limits.counting_failures(
        "desk_registration_details", str(actor.id), RecordedDetailsDiffer, per_minute=FAILURES_PER_MINUTE
    )
    with guessing, db.transaction() as session:
        return register_at_desk(
            session,
            actor,
            document=body.as_document(),
            details=body.as_details(),
            channel=_CHANNELS[body.channel],
        )


@api.post("/desk/look-ups", responses={201: PersonFileShown})
@requires("health_card:person:look_up")
def look_up(body: LookUpRequest) -> Response:
    """Find the person whose certificate was read, masked; what the desk does for him names the look-up

    A look-up is good for 15 minutes at this hospital. A person is found by a certificate or by an open visit
    (`/desk/visits/{visit_id}/look-ups`), never by searching."""
    return present(PersonFileShown.model_validate(open_file(body)), 201)


def open_file(body: LookUpRequest) -> PersonFile:
    """The look-up itself, shared with the desk page."""
    actor = current_actor()
    limits.count("desk_look_ups", str(actor.id), per_minute=LOOK_UPS_PER_MINUTE)
    searching = limits.counting_failures(
        "desk_look_ups_in_vain", str(actor.id), PersonNotFound, per_minute=FAILURES_PER_MINUTE
    )
    document = body.as_document()
    with searching, db.transaction() as session:
        opened: LookUp = look_up_by_certificate(session, actor, certificate=document.certificate)
        if body.is_document_seen:
            verify_document(session, actor, look_up_id=opened.id, document=document)
        return read_person_file(session, actor, opened.id)


@api.get("/desk/persons/<uuid:look_up_id>", responses={200: PersonFileShown})
@requires("health_card:person:look_up")
def show_person(path: LookUpPath) -> Response:
    """The person of a look-up: details, certificates, cards and carriers, masked"""
    with db.transaction() as session:
        found = read_person_file(session, current_actor(), path.look_up_id)
    return present(PersonFileShown.model_validate(found))


@api.post("/desk/persons/<uuid:look_up_id>/verify-document", responses={200: AssuranceShown})
@requires("health_card:person:verify")
def verify(path: LookUpPath, body: DocumentRead) -> Response:
    """The registrar has the document in hand: the identity is known by document from now on

    Needed once in a look-up before anything of the person is changed."""
    actor = current_actor()
    with counting_guesses(actor), db.transaction() as session:
        level = verify_document(session, actor, look_up_id=path.look_up_id, document=body.as_document())
    return present(AssuranceShown(assurance=level.value))


@contextmanager
def counting_guesses(actor: Actor) -> Iterator[None]:
    """Nobody finds out the number of a person before the desk by trying."""
    with limits.counting_failures("desk_documents", str(actor.id), DocumentNotTheirs, per_minute=FAILURES_PER_MINUTE):
        yield


@api.post("/desk/persons/<uuid:look_up_id>/end-logins", responses={200: EndedShown})
@requires("health_card:person_login:end")
def end_logins(path: LookUpPath, body: EndLogins) -> Response:
    """A lost phone: sign out every login of the person himself, and end the codes of all cards that they hold"""
    with db.transaction() as session:
        ended = end_logins_at_desk(
            session, current_actor(), look_up_id=path.look_up_id, until_confirmed=body.until_confirmed
        )
    return present(EndedShown(sign_ins_ended=ended))


@api.post("/desk/persons/<uuid:look_up_id>/pin-reset", responses={200: PinsClearedShown})
@requires("health_card:person_pin:reset")
def reset_pins(path: LookUpPath) -> Response:
    """A forgotten PIN: the person's own logins set a new one on the phone, without the old"""
    with db.transaction() as session:
        cleared = reset_pins_at_desk(session, current_actor(), look_up_id=path.look_up_id)
    return present(PinsClearedShown(pins_cleared=cleared))


@api.post("/persons/self/end-logins", responses={200: EndedShown})
@requires("health_card:login:end")
def end_my_other_logins() -> Response:
    """A lost phone: sign out all my other logins, from this one, and end the codes of all cards that they hold"""
    with db.transaction() as session:
        ended = end_other_logins(session, current_actor())
    return present(EndedShown(sign_ins_ended=ended))
