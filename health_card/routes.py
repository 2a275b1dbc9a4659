"""The machine interface of health_card, for the patient's phone."""

from flask import Response, request

from core import db, limits
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card import pictures, service
from health_card.refusals import PersonDetailsDiffer
from health_card.schemas import (
    Application,
    CardList,
    CardPath,
    CardShown,
    CodeRequest,
    CodeShown,
    RegistrationShown,
)

api = Api("health_card", tag="Health card 健康卡", url_prefix="/api/v1")

GUESSES_PER_MINUTE = 5

_PICTURES = {"image/svg+xml": pictures.draw_svg, "image/png": pictures.draw_png}


@api.post("/registrations", responses={200: RegistrationShown, 201: RegistrationShown})
@requires("health_card:card:apply")
def register(body: Application) -> Response:
    """Register as a person with real name and certificate, and get the card; again: the same card"""
    actor = current_actor()
    # Nobody may find out a person's name or phone by trying.
    guessing = limits.counting_failures(
        "registration_details", str(actor.id), PersonDetailsDiffer, per_minute=GUESSES_PER_MINUTE
    )
    with guessing, db.transaction() as session:
        done = service.register_person(session, actor, details=body.as_details())
    return present(RegistrationShown.of(done), 201 if done.is_new else 200)


@api.get("/cards", responses={200: CardList})
@requires("health_card:card:read")
def list_cards() -> Response:
    """The cards that this login holds"""
    with db.snapshot() as session:
        cards = service.list_cards(session, current_actor())
    return present(CardList(cards=[CardShown.model_validate(card) for card in cards]))


@api.post(
    "/cards/<uuid:card_id>/codes",
    responses={201: CodeShown},
    openapi_extensions={"x-also-produces": list(_PICTURES)},
)
@requires("health_card:code:show")
def show_code(path: CardPath, body: CodeRequest) -> Response:
    """A code to show at a desk: text (JSON), SVG or PNG, by the Accept header

    A picture's expiry stands in its Expires-At header."""
    with db.transaction() as session:
        code = service.issue_code(
            session,
            current_actor(),
            card_id=path.card_id,
            kind=body.kind,
            issuer=current_config().issuer_code,
            pin=body.pin,
            payment=body.read_payment(),
        )
    wanted = request.accept_mimetypes.best_match(["application/json", *_PICTURES], default="application/json")
    if wanted not in _PICTURES:
        return present(CodeShown.model_validate(code, from_attributes=True), 201)
    headers = {"Cache-Control": "no-store"}
    if code.expires_at:
        headers["Expires-At"] = code.expires_at.isoformat()
    return Response(_PICTURES[wanted](code.text), 201, headers, mimetype=wanted)


@api.post("/cards/<uuid:card_id>/codes/revoke", responses={204: None})
@requires("health_card:code:revoke")
def revoke_codes(path: CardPath) -> Response:
    """End every dynamic code shown so far, for example when somebody photographed the screen"""
    with db.transaction() as session:
        service.revoke_codes(session, current_actor(), card_id=path.card_id)
    return Response(status=204)
