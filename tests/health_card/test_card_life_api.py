"""Cards are reported lost, restored, cancelled and issued anew, by phone and at desks."""

from itertools import product
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from core import db
from core.actor import SYSTEM, Actor
from health_card import service as health_card
from health_card.card_life.refusals import CardActForbidden, CardReplaced, CardStateForbids
from health_card.card_life.states import MOVES, CardAct, move_card
from health_card.models import Card, CardState
from health_card.notices.models import Notice
from tests.support.city import City, Patient, bearer
from tests.support.desks import Desk, refused


def act(city: City, patient: Patient, name: str, token: str | None = None) -> TestResponse:
    path = f"/api/v1/cards/{patient.card_id}/{name}"
    return city.client.post(path, headers=bearer(token or patient.token))


def told(person_id: UUID) -> list[str]:
    with db.transaction() as session:
        mine = (
            select(Notice.kind)
            .where(Notice.person_id == person_id, Notice.kind.startswith("card_"))
            .order_by(Notice.created_at, Notice.id)
        )
        return list(session.scalars(mine))


def test_a_lost_card_shows_nothing_and_every_code_of_it_is_dead(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    codes = [city.code(patient), city.code(patient, "static")]
    reply = act(city, patient, "report-lost")
    assert (reply.status_code, reply.json["state"], reply.json["state_text"]) == (200, 2, "已挂失")
    for code in codes:
        scan = city.scan(desk.staff, code, desk.hospital, certificate_number=patient.certificate_number)
        assert refused(scan) == (410, "health_card.code_revoked")
    path = f"/api/v1/cards/{patient.card_id}/codes"
    shown = city.client.post(path, json={}, headers=bearer(patient.token))
    assert refused(shown) == (409, "health_card.card_not_in_force")
    assert told(patient.person_id) == ["card_lost"]


def test_who_reported_it_lost_restores_it_and_the_codes_of_before_stay_dead(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    code = city.code(patient)
    act(city, patient, "report-lost")
    assert act(city, patient, "restore").json["state"] == 1
    assert refused(city.scan(desk.staff, code, desk.hospital)) == (410, "health_card.code_revoked")
    assert city.scan(desk.staff, city.code(patient), desk.hospital).status_code == 201
    assert told(patient.person_id) == ["card_lost", "card_restored"]


def test_what_a_desk_reported_lost_no_phone_brings_back(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    path = f"{desk.open(patient)}/cards/{patient.card_id}"
    assert desk.post(f"{path}/report-lost").json["state"] == 2
    for name in ("restore", "reissue"):
        assert refused(act(city, patient, name)) == (409, "health_card.restore_needs_desk")
    assert desk.post(f"{path}/restore").json["state"] == 1
    # Reported once more, now by phone: the last report counts.
    act(city, patient, "report-lost")
    assert act(city, patient, "restore").status_code == 200


def test_a_reissued_card_is_another_card_of_the_same_person(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    code = city.code(patient)
    reply = act(city, patient, "reissue")
    assert (reply.status_code, reply.json["state"]) == (201, 1)
    assert reply.json["card_id"] != str(patient.card_id)
    assert reply.json["number"] != patient.card_number
    cards = city.client.get("/api/v1/cards", headers=bearer(patient.token)).json["cards"]
    assert [card["card_id"] for card in cards] == [reply.json["card_id"]]
    assert refused(city.scan(desk.staff, code, desk.hospital)) == (410, "health_card.code_revoked")
    with db.snapshot() as session:
        found = {
            health_card.find_person(session, desk.staff.actor, card_number=number)
            for number in (patient.card_number, reply.json["number"])
        }
    assert found == {patient.person_id}
    for name in ("report-lost", "restore", "cancel", "reissue"):
        assert refused(act(city, patient, name)) == (409, "health_card.card_replaced")
    assert told(patient.person_id) == ["card_reissued"]


def test_a_desk_issues_anew_through_its_own_channel(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    path = desk.open(patient)
    assert desk.post(f"{path}/cards/{patient.card_id}/reissue").json["channel"] == 3
    assert len(desk.get(path).json["cards"]) == 1


def test_another_persons_card_is_not_found(city: City) -> None:
    desk, patient, other = Desk(city), city.patient(), city.patient()
    for name in ("report-lost", "restore", "cancel", "reissue"):
        assert refused(act(city, patient, name, other.token)) == (404, "health_card.card_not_found")
    path = desk.open(other)
    for name in ("report-lost", "reissue"):
        reply = desk.post(f"{path}/cards/{patient.card_id}/{name}")
        assert refused(reply) == (404, "health_card.card_not_found")
    assert told(patient.person_id) == []


def test_a_refused_change_changes_nothing_and_names_the_state(city: City) -> None:
    patient = city.patient()
    reply = act(city, patient, "restore")
    assert (*refused(reply), reply.json["state"]) == (409, "health_card.card_state_forbids", 1)
    act(city, patient, "cancel")
    assert refused(act(city, patient, "report-lost")) == (409, "health_card.card_state_forbids")
    assert told(patient.person_id) == ["card_cancelled"]
    with db.snapshot() as session:
        assert session.get_one(Card, patient.card_id).epoch == 1


def test_a_card_that_waits_is_handed_out_at_a_desk(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    with db.transaction() as session:
        move_card(session, SYSTEM, session.get_one(Card, patient.card_id), CardAct.WITHHOLD)
    assert refused(act(city, patient, "report-lost")) == (409, "health_card.card_state_forbids")
    reply = desk.post(f"{desk.open(patient)}/cards/{patient.card_id}/issue")
    assert (reply.status_code, reply.json["state"]) == (200, 1)


def test_the_table_of_states_is_kept(city: City) -> None:
    """Every act from every state, by everybody: as the table says, and nothing else."""
    patient = city.patient()
    actors = (patient.actor, Desk(city).staff.actor, SYSTEM)
    for state, act, actor in product(CardState, CardAct, actors):
        with db.transaction() as session:
            session.execute(
                text("UPDATE cards SET state = :state, epoch = 7, replaced_at = NULL WHERE id = :id"),
                {"state": int(state), "id": patient.card_id},
            )
        outcome = try_to_move(actor, patient.card_id, act)
        move = MOVES[act]
        if actor.kind not in move.by:
            assert outcome == (CardActForbidden.code, state, 7)
        elif state not in move.leaves:
            assert outcome == (CardStateForbids.code, state, 7)
        else:
            assert outcome == ("", state if move.to is None else move.to, 8)


def try_to_move(actor: Actor, card_id: UUID, act: CardAct) -> tuple[str, int, int]:
    code = ""
    try:
        with db.transaction() as session:
            move_card(session, actor, session.get_one(Card, card_id), act)
    except (CardActForbidden, CardStateForbids, CardReplaced) as refusal:
        code = refusal.code
    with db.snapshot() as session:
        card = session.get_one(Card, card_id)
        return code, card.state, card.epoch


def test_the_codes_of_refusals_are_stable() -> None:
    assert CardActForbidden.code == "health_card.card_act_forbidden"


def test_what_happened_to_cards_is_never_changed(city: City) -> None:
    patient = city.patient()
    act(city, patient, "report-lost")
    for statement in ("UPDATE card_changes SET to_state = 1", "DELETE FROM card_changes"):
        with pytest.raises(DBAPIError, match="append-only"), db.transaction() as session:
            session.execute(text(statement))
