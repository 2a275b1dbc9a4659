"""A face or bank check that a person passed on the phone, and what it is good for."""

from typing import Any

import pytest
from sqlalchemy import delete, select, update
from werkzeug.test import TestResponse

from core import db
from core.audit import AuditEntry
from core.vault import vault
from health_card.desk.models import AssuranceCheck
from health_card.models import Assurance, Holder, Person, PersonCertificate
from health_card.realname.source import RealNameSource, Verification
from health_card.service.identities import NAME
from tests.health_card.conftest import Town
from tests.support.city import Patient, bearer
from tests.support.desks import Desk, refused

VERIFICATIONS = "/realname/v1/verifications"


def prove(town: Town, patient: Patient, way: str, **changes: str) -> str:
    """The token that the patient's phone gets after a check of whoever stands before the camera."""
    identity = {"name": patient.name, "certificate_type": "01", "number": patient.certificate_number}
    return town.control.prove(way, **(identity | changes))


def verify(town: Town, patient: Patient, way: str, token: str) -> TestResponse:
    body = {"way": way, "token": token}
    return town.city.client.post("/api/v1/persons/self/verifications", json=body, headers=bearer(patient.token))


def assurance(patient: Patient) -> str:
    with db.transaction() as session:
        return session.get_one(Person, patient.person_id).assurance


def checks(patient: Patient) -> list[AssuranceCheck]:
    with db.transaction() as session:
        mine = select(AssuranceCheck).filter_by(person_id=patient.person_id).order_by(AssuranceCheck.checked_at)
        found = list(session.scalars(mine))
        session.expunge_all()
        return found


def acts(patient: Patient, action: str) -> list[dict[str, Any]]:
    with db.transaction() as session:
        return list(session.scalars(select(AuditEntry.facts).filter_by(action=action, subject_id=patient.person_id)))


@pytest.mark.parametrize("way", ["face", "bank"])
def test_a_check_raises_the_level_and_is_kept_with_the_sources_reference(town: Town, way: str) -> None:
    patient = town.city.patient()
    reply = verify(town, patient, way, prove(town, patient, way))
    assert (reply.status_code, reply.json) == (200, {"assurance": way})
    (kept,) = checks(patient)
    assert (kept.level, kept.evidence, kept.hospital_id, kept.staff_id) == (way, way, None, None)
    assert (kept.source or "").startswith("http://127.0.0.1")
    assert (kept.reference or "").startswith("R")
    assert acts(patient, "health_card.person.verified") == [{"level": way, "evidence": way, "now": way}]
    shown = Desk(town.city).look_up(patient.certificate_number, is_document_seen=False).json["person"]
    assert (shown["assurance"], shown.get("assured_by")) == (way, None)


def test_levels_only_rise(town: Town) -> None:
    patient, desk, levels = town.city.patient(), Desk(town.city), []
    assert assurance(patient) == "asserted"
    desk.open(patient)
    levels.append(assurance(patient))
    for way in ("bank", "face", "bank"):
        levels.append(verify(town, patient, way, prove(town, patient, way)).json["assurance"])
    desk.open(patient)
    assert [*levels, assurance(patient)] == ["document", "bank", "face", "face", "face"]
    assert [check.level for check in checks(patient)] == ["document", "bank", "face", "bank", "document"]
    assert list(Assurance) == ["asserted", "document", "bank", "face"]


@pytest.mark.parametrize("somebody_else", [{"name": "李测试"}, {"number": "110105194912310021"}])
def test_a_check_of_somebody_else_raises_nothing_and_leaves_a_trace(town: Town, somebody_else: dict[str, str]) -> None:
    patient = town.city.patient()
    reply = verify(town, patient, "face", prove(town, patient, "face", **somebody_else))
    assert refused(reply) == (409, "health_card.verification_disagreed")
    assert (assurance(patient), checks(patient)) == ("asserted", [])
    assert acts(patient, "health_card.person.not_verified") == [{"evidence": "face"}]


def test_a_token_is_good_once_and_for_its_own_way(town: Town) -> None:
    patient = town.city.patient()
    token = prove(town, patient, "bank")
    assert refused(verify(town, patient, "face", token)) == (422, "health_card.verification_token_invalid")
    assert verify(town, patient, "bank", token).status_code == 200
    assert refused(verify(town, patient, "bank", token)) == (422, "health_card.verification_token_invalid")
    assert [check.level for check in checks(patient)] == ["bank"]


def test_the_token_of_another_person_proves_nothing(town: Town) -> None:
    patient, other = town.city.patient(), town.city.patient()
    reply = verify(town, patient, "face", prove(town, other, "face"))
    assert refused(reply) == (409, "health_card.verification_disagreed")
    assert {assurance(patient), assurance(other)} == {"asserted"}


@pytest.mark.parametrize("fault", ["500", "drop", "garbage"])
def test_a_source_that_does_not_answer_raises_nothing(town: Town, fault: str) -> None:
    patient = town.city.patient()
    town.control.order_fault(VERIFICATIONS, fault)
    reply = verify(town, patient, "face", prove(town, patient, "face"))
    assert refused(reply) == (503, "health_card.verification_unavailable")
    assert reply.headers["Retry-After"] == "30"
    assert (assurance(patient), checks(patient)) == ("asserted", [])


def test_without_a_source_only_a_desk_raises(town: Town) -> None:
    patient = town.city.patient()
    token = prove(town, patient, "face")
    town.configure(realname=None)
    assert refused(verify(town, patient, "face", token)) == (503, "health_card.verification_not_configured")
    assert (assurance(patient), checks(patient)) == ("asserted", [])


def test_a_login_that_waits_for_a_desk_proves_nobody(town: Town) -> None:
    patient = town.city.patient()
    with db.transaction() as session:
        session.execute(update(Holder).where(Holder.login_id == patient.actor.id).values(confirmed_at=None))
    reply = verify(town, patient, "face", prove(town, patient, "face"))
    assert refused(reply) == (409, "health_card.register_yourself_first")
    assert (assurance(patient), checks(patient)) == ("asserted", [])


def test_a_relative_on_the_phone_is_not_proven_as_oneself(town: Town) -> None:
    patient = town.city.patient()
    with db.transaction() as session:
        session.execute(update(Holder).where(Holder.login_id == patient.actor.id).values(relation="parent"))
    reply = verify(town, patient, "face", prove(town, patient, "face"))
    assert refused(reply) == (409, "health_card.register_yourself_first")
    assert assurance(patient) == "asserted"


def test_without_a_certificate_there_is_nothing_to_prove(town: Town) -> None:
    patient = town.city.patient()
    token = prove(town, patient, "face")
    with db.transaction() as session:
        session.execute(delete(PersonCertificate).where(PersonCertificate.person_id == patient.person_id))
    assert refused(verify(town, patient, "face", token)) == (409, "health_card.verification_not_possible")


def test_an_answer_about_details_that_were_corrected_meanwhile_raises_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = town.city.patient()
    genuine = RealNameSource.check_face

    def be_overtaken(source: RealNameSource, token: str, **asked: str) -> Verification:
        with db.transaction() as session:
            person = session.get_one(Person, patient.person_id)
            person.name_sealed = vault().unwrap(person.data_key).seal("张更正", context=NAME)
        return genuine(source, token, **asked)

    monkeypatch.setattr(RealNameSource, "check_face", be_overtaken)
    reply = verify(town, patient, "face", prove(town, patient, "face"))
    assert refused(reply) == (409, "health_card.verification_overtaken")
    assert (assurance(patient), checks(patient)) == ("asserted", [])


def test_who_tries_on_and_on_is_stopped(town: Town) -> None:
    patient = town.city.patient()
    tries = [refused(verify(town, patient, "face", "no-such-token")) for _ in range(6)]
    assert tries == [(422, "health_card.verification_token_invalid")] * 5 + [(429, "core.rate_exceeded")]


@pytest.mark.parametrize("body", [{"way": "palm", "token": "t"}, {"way": "face", "token": ""}, {"way": "face"}])
def test_only_a_way_and_a_token_are_taken(town: Town, body: dict[str, str]) -> None:
    headers = bearer(town.city.patient().token)
    reply = town.city.client.post("/api/v1/persons/self/verifications", json=body, headers=headers)
    assert refused(reply) == (422, "core.malformed_request")
