"""A lost phone: the logins of the person are signed out, and what they showed is dead."""

from uuid import UUID

from core import clock, db
from health_card.models import Holder
from tests.support.city import City, Patient, bearer
from tests.support.desks import Desk, refused


def second_login(city: City, patient: Patient) -> str:
    """Another login of the same person, confirmed as a desk does it."""
    token, _ = city.login()
    hold(city.actor(token).id, patient, "self")
    return token


def hold(login_id: UUID, patient: Patient, relation: str) -> None:
    now = clock.now()
    with db.transaction() as session:
        session.add(
            Holder(login_id=login_id, person_id=patient.person_id, relation=relation, created_at=now, confirmed_at=now)
        )


def is_signed_in(city: City, token: str) -> bool:
    return city.client.get("/api/v1/cards", headers=bearer(token)).status_code == 200


def test_a_desk_signs_every_login_of_the_person_out(city: City) -> None:
    desk, patient, other = Desk(city), city.patient(), city.patient()
    code, second = city.code(patient), second_login(city, patient)
    reply = desk.post(f"{desk.open(patient)}/end-logins", {"until_confirmed": False})
    assert reply.json == {"sign_ins_ended": 2}
    assert [is_signed_in(city, token) for token in (patient.token, second, other.token)] == [False, False, True]
    refresh = city.client.post("/api/v1/sessions/refresh", json={"refresh_token": patient.refresh_token})
    assert refused(refresh) == (401, "accounts.refresh_token_invalid")
    assert refused(city.scan(desk.staff, code, desk.hospital)) == (410, "health_card.code_revoked")
    with db.snapshot() as session:
        assert session.query(Holder).filter_by(login_id=patient.actor.id).one().confirmed_at is not None


def test_until_a_desk_confirms_it_the_login_may_do_nothing(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    desk.post(f"{desk.open(patient)}/end-logins", {"until_confirmed": True})
    with db.snapshot() as session:
        assert session.query(Holder).filter_by(login_id=patient.actor.id).one().confirmed_at is None


def test_the_codes_of_relatives_cards_on_that_phone_are_dead_too(city: City) -> None:
    desk, patient, child = Desk(city), city.patient(), city.patient()
    hold(patient.actor.id, child, "child")
    code = city.code(child)
    # At the child's own look-up the parent's phone is nobody's to end.
    ended = desk.post(f"{desk.open(child)}/end-logins", {"until_confirmed": False})
    assert ended.json == {"sign_ins_ended": 1}
    assert is_signed_in(city, patient.token)
    desk.post(f"{desk.open(patient)}/end-logins", {"until_confirmed": False})
    assert refused(city.scan(desk.staff, code, desk.hospital)) == (410, "health_card.code_revoked")


def test_from_another_phone_the_person_ends_his_other_logins(city: City) -> None:
    patient = city.patient()
    second = second_login(city, patient)
    path = "/api/v1/persons/self/end-logins"
    assert city.client.post(path, headers=bearer(second)).json == {"sign_ins_ended": 1}
    assert [is_signed_in(city, token) for token in (patient.token, second)] == [False, True]


def test_a_login_that_only_waits_ends_nobody(city: City) -> None:
    patient = city.patient()
    token, _ = city.login()
    body = {"certificate_type": "01", "certificate_number": patient.certificate_number, "name": patient.name}
    city.client.post("/api/v1/registrations", json=body | {"phone": patient.phone}, headers=bearer(token))
    assert city.client.post("/api/v1/persons/self/end-logins", headers=bearer(token)).json == {"sign_ins_ended": 0}
    assert is_signed_in(city, patient.token)
