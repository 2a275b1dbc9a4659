"""The machine interface of a card's life, by phone and at a desk."""

from typing import Literal

from flask import Response
from pydantic import Field

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from health_card.card_life.service import (
    change_card_at_desk,
    change_own_card,
    reissue_card_at_desk,
    reissue_own_card,
)
from health_card.card_life.states import CardAct
from health_card.desk.schemas import CardAtDeskPath
from health_card.schemas import CardPath, CardShown

api = Api("card_life", tag="Health card 健康卡", url_prefix="/api/v1")


class OwnCardActPath(CardPath):
    act: Literal["report-lost", "restore", "cancel"]


class DeskCardActPath(CardAtDeskPath):
    act: Literal["report-lost", "restore", "cancel", "issue"] = Field(
        description="issue: hand out a card that was being made or withheld"
    )


ACTS = {
    "report-lost": CardAct.REPORT_LOST,
    "restore": CardAct.RESTORE,
    "cancel": CardAct.CANCEL,
    "issue": CardAct.ISSUE,
}


@api.post("/cards/<uuid:card_id>/<any('report-lost','restore','cancel'):act>", responses={200: CardShown})
@requires("health_card:card:change")
def change_card(path: OwnCardActPath) -> Response:
    """Report a card lost, restore it, or cancel it: all its codes are dead at once

    Restored by the login that reported it lost, otherwise at a desk. Applying again restores a cancelled card."""
    with db.transaction() as session:
        card = change_own_card(session, current_actor(), card_id=path.card_id, act=ACTS[path.act])
    return present(CardShown.model_validate(card))


@api.post("/cards/<uuid:card_id>/reissue", responses={201: CardShown})
@requires("health_card:card:change")
def reissue_card(path: CardPath) -> Response:
    """A new card with a new number for the same person; the old one shows no codes any more"""
    with db.transaction() as session:
        card = reissue_own_card(session, current_actor(), card_id=path.card_id)
    return present(CardShown.model_validate(card), 201)


@api.post(
    "/desk/persons/<uuid:look_up_id>/cards/<uuid:card_id>/<any('report-lost','restore','cancel','issue'):act>",
    responses={200: CardShown},
)
@requires("health_card:person_card:change")
def change_card_of_person(path: DeskCardActPath) -> Response:
    """The same at a desk that has seen the document"""
    with db.transaction() as session:
        card = change_card_at_desk(
            session, current_actor(), look_up_id=path.look_up_id, card_id=path.card_id, act=ACTS[path.act]
        )
    return present(CardShown.model_validate(card))


@api.post("/desk/persons/<uuid:look_up_id>/cards/<uuid:card_id>/reissue", responses={201: CardShown})
@requires("health_card:person_card:change")
def reissue_card_of_person(path: CardAtDeskPath) -> Response:
    """A new card at a desk that has seen the document"""
    with db.transaction() as session:
        card = reissue_card_at_desk(session, current_actor(), look_up_id=path.look_up_id, card_id=path.card_id)
    return present(CardShown.model_validate(card), 201)
