"""Other cards lead to the same person at a desk."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import db
from health_card import service as health_card
from health_card.card_life.states import CardAct, move_card
from health_card.carriers.models import Kind
from health_card.carriers.numbers import check_number
from health_card.carriers.refusals import CarrierNumberInvalid
from health_card.models import Card
from health_card.service.scans import FAILURES_PER_MINUTE
from tests.support.city import City, Patient, resident_id
from tests.support.desks import Desk, refused

SOCIAL = {"kind": "social_security_card", "number": "A12345678"}


def bind(desk: Desk, patient: Patient, carrier: dict[str, str]) -> str:
    """The path of the carrier."""
    path = desk.open(patient)
    reply = desk.post(f"{path}/carriers", carrier)
    assert reply.status_code == 201, reply.text
    return f"{path}/carriers/{reply.json['carrier_id']}"


def test_a_bound_card_leads_to_the_person_with_the_certificate_number(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    bind(desk, patient, SOCIAL)
    read = SOCIAL | {"number": " a1234-5678 ", "certificate_number": patient.certificate_number}
    reply = Desk(city).post("/carriers/resolve", read)
    assert (reply.status_code, reply.json["person"]["name"]) == (201, "张*试")
    assert [(row["kind"], row["number"]) for row in reply.json["carriers"]] == [("social_security_card", "A1*****78")]
    assert reply.json["is_document_seen"] is False


def test_alone_or_with_another_number_it_leads_to_nobody(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    bind(desk, patient, SOCIAL)
    assert refused(desk.post("/carriers/resolve", SOCIAL)) == (422, "health_card.second_factor_missing")
    wrong = SOCIAL | {"certificate_number": resident_id()}
    assert refused(desk.post("/carriers/resolve", wrong)) == (422, "health_card.second_factor_wrong")
    unknown = SOCIAL | {"number": "B12345678", "certificate_number": patient.certificate_number}
    assert refused(desk.post("/carriers/resolve", unknown)) == (422, "health_card.carrier_unknown")


def test_the_id_card_itself_needs_no_second_number_and_is_only_its_owners(city: City) -> None:
    desk, patient, other = Desk(city), city.patient(), city.patient()
    own = {"kind": "id_card", "number": patient.certificate_number}
    assert refused(desk.post(f"{desk.open(other)}/carriers", own)) == (409, "health_card.carrier_not_theirs")
    bind(desk, patient, own)
    assert desk.post("/carriers/resolve", own).status_code == 201


def test_a_carrier_opens_a_visit_and_shares_no_records(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    bind(desk, patient, SOCIAL)
    body = {
        "carrier_kind": "social_security_card",
        "carrier_number": "A12345678",
        "certificate_number": patient.certificate_number,
        "medical_step": "010101",
        "department": "0300",
        "terminal": desk.hospital.terminal,
    }
    reply = desk.post("/scans", body)
    assert reply.status_code == 201, reply.text
    assert "access_until" not in reply.text
    assert reply.json["person"]["assured_by"] == "市第一测试医院"
    for changes in ({"code": city.code(patient)}, {"carrier_number": None}, {"carrier_kind": None}):
        assert refused(desk.post("/scans", body | changes)) == (422, "core.malformed_request")
    with db.transaction() as session:
        found = health_card.identify_carrier(
            session,
            desk.staff.actor,
            kind=health_card.CarrierKind.SOCIAL_SECURITY_CARD,
            number="A12345678",
            certificate_number=patient.certificate_number,
        )
        session.expunge_all()
    assert (found.person_id, found.card_id, found.kind) == (patient.person_id, patient.card_id, "M")


def test_guessed_carriers_lock_the_terminal(city: City) -> None:
    desk = Desk(city)
    body = {
        "carrier_kind": "social_security_card",
        "carrier_number": "Z00000000",
        "certificate_number": resident_id(),
        "medical_step": "010101",
        "department": "0300",
        "terminal": desk.hospital.terminal,
    }
    for _ in range(FAILURES_PER_MINUTE):
        assert refused(desk.post("/scans", body)) == (422, "health_card.carrier_unknown")
    assert refused(desk.post("/scans", body)) == (429, "health_card.terminal_locked")


def test_a_lost_phone_does_not_stop_another_card_but_a_cancelled_card_does(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    bind(desk, patient, SOCIAL)
    read = SOCIAL | {"certificate_number": patient.certificate_number}
    for act, status in ((CardAct.REPORT_LOST, 201), (CardAct.CANCEL, 410)):
        with db.transaction() as session:
            move_card(session, patient.actor, session.get_one(Card, patient.card_id), act)
        reply = desk.post("/carriers/resolve", read)
        assert reply.status_code == status
    assert reply.json["code"] == "health_card.code_revoked"


def test_a_carrier_is_one_persons_and_binding_it_again_changes_nothing(city: City) -> None:
    desk, patient, other = Desk(city), city.patient(), city.patient()
    first = bind(desk, patient, SOCIAL)
    again = bind(desk, patient, SOCIAL)
    assert first.rpartition("/")[2] == again.rpartition("/")[2]
    assert refused(desk.post(f"{desk.open(other)}/carriers", SOCIAL)) == (409, "health_card.carrier_taken")


def test_an_ended_carrier_leads_to_nobody_and_may_be_bound_anew(city: City) -> None:
    desk, patient, other = Desk(city), city.patient(), city.patient()
    carrier = bind(desk, patient, SOCIAL)
    stranger = f"{desk.open(other)}/carriers/{carrier.rpartition('/')[2]}/end"
    assert refused(desk.post(stranger, {"reason": "lost"})) == (404, "health_card.carrier_not_found")
    assert desk.post(f"{carrier}/end", {"reason": "lost"}).status_code == 204
    assert refused(desk.post(f"{carrier}/end", {"reason": "lost"})) == (404, "health_card.carrier_not_found")
    read = SOCIAL | {"certificate_number": patient.certificate_number}
    assert refused(desk.post("/carriers/resolve", read)) == (422, "health_card.carrier_unknown")
    bind(desk, other, SOCIAL)


def test_a_number_that_is_none_of_its_kind_is_refused(city: City) -> None:
    desk = Desk(city)
    path = desk.open(city.patient())
    for kind, number in (
        ("social_security_card", "A1234567"),
        ("id_card", "110105194912310021"),
        ("resident_health_card", "123456789012345"),
        ("regional_visit_card", "12'34"),
    ):
        reply = desk.post(f"{path}/carriers", {"kind": kind, "number": number})
        assert refused(reply) == (422, "health_card.carrier_number_invalid")


@given(st.sampled_from(Kind), st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_text_is_more_than_refused_and_what_is_kept_is_one_spelling(kind: Kind, text: str) -> None:
    try:
        kept = check_number(kind, text)
    except CarrierNumberInvalid:
        return
    assert kept == check_number(kind, kept)
    assert kept.isascii()


@pytest.mark.parametrize("kind", list(Kind))
def test_two_kinds_may_have_one_number(city: City, kind: Kind) -> None:
    desk, one, other = Desk(city), city.patient(), city.patient()
    bind(desk, one, {"kind": "regional_visit_card", "number": "123456789"})
    bind(desk, other, {"kind": "social_security_card", "number": "123456789"})
