"""How a message leaves quarantine: every channel's replay files what a first arrival files, and nothing is lost."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from accounts.models import Role
from core import db
from core.audit import AuditEntry
from health_card.models import PatientNumber
from records.intake import service as intake
from records.intake.models import InboundMessage
from records.quarantine import jobs
from tests.support.channels import ROW, House, write_upload
from tests.support.city import City, Patient, bearer

# An uploaded list is matched when it is checked: what cannot be matched does not even become a message.
AT_ONCE = ["fhir", "hl7v2", "dicomweb"]


@pytest.fixture(scope="module")
def house_of_module(module_city: City) -> House:
    return House(module_city)


@pytest.fixture
def house(house_of_module: House, city: City) -> House:
    return house_of_module


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


_OF_ITS_OWN = {"id", "object_id", "person_id", "is_unread", "versions"}


def lines(city: City, patient: Patient) -> list[dict[str, Any]]:
    """The timeline with all that stands in its reports, without what differs from one arrival to the next."""
    headers = bearer(patient.token)
    found = []
    for item in city.client.get("/api/v1/timeline", headers=headers).json["items"]:
        detail = (
            dict(city.client.get(f"/api/v1/reports/{item['object_id']}", headers=headers).json or {})
            if item["object_kind"] == "report"
            else {}
        )
        found.append({name: each for name, each in (item | detail).items() if name not in _OF_ITS_OWN})
    return found


@pytest.mark.parametrize("channel", AT_ONCE)
def test_a_replay_files_what_a_first_arrival_files(city: City, house: House, patient: Patient, channel: str) -> None:
    late, first = patient, city.patient()
    send_late = house.compose(channel, "LATE")
    assert send_late() in {"records.person_not_matched", "refused"}
    (waiting,) = house.waiting()
    again = house.act(waiting["id"], "replay")
    assert (again.status_code, again.json["state"]) == (200, "quarantined")
    assert again.json["reason"] == "records.person_not_matched"
    city.bind_number(house.hospital, late, "LATE")
    assert house.act(waiting["id"], "replay", house.machine.token).json == {"id": waiting["id"], "state": "accepted"}
    city.bind_number(house.hospital, first, "FIRST")
    assert house.compose(channel, "FIRST")() == ""
    assert lines(city, late) == lines(city, first) != []
    assert send_late() == ""
    assert len(lines(city, late)) == 1
    assert house.waiting() == []
    refused = house.act(waiting["id"], "replay")
    assert (refused.status_code, refused.json["code"]) == (409, "records.message_not_waiting")


def test_a_report_of_a_list_that_waits_is_filed_as_any(city: City, house: House, patient: Patient) -> None:
    city.bind_number(house.hospital, patient, "P1")
    upload = house.upload(write_upload(ROW | {"report_number": "R1"}))
    with db.transaction() as session:
        session.execute(delete(PatientNumber).filter_by(hospital_id=house.hospital.id, number="P1"))
    house.commit(upload["id"])
    (waiting,) = house.waiting()
    assert (waiting["channel"], waiting["reason"]) == ("upload", "records.person_not_matched")
    assert house.read(upload["id"])["reports"] == {"quarantined": 1}
    assert house.act(waiting["id"], "replay").json["state"] == "quarantined"
    city.bind_number(house.hospital, patient, "P1")
    assert house.act(waiting["id"], "replay").json["state"] == "accepted"
    (line,) = lines(city, patient)
    assert (line["title"], line["observations"][0]["value"]) == ("血常规", "5.10")


@pytest.mark.parametrize("channel", AT_ONCE)
def test_what_was_dismissed_is_kept_and_not_taken_in_again(
    city: City, house: House, patient: Patient, channel: str
) -> None:
    transmit = house.compose(channel, "P1")
    transmit()
    (waiting,) = house.waiting()
    dismissed = house.act(waiting["id"], "dismiss", why="sent_by_mistake")
    assert dismissed.json == {"id": waiting["id"], "state": "dismissed", "reason": "records.person_not_matched"}
    city.bind_number(house.hospital, patient, "P1")
    assert transmit() in {"records.message_dismissed", "refused"}
    assert (house.waiting(), lines(city, patient)) == ([], [])
    (kept,) = house.waiting("?state=dismissed")
    assert (kept["resolution"], kept["resolution_reason"]) == ("dismissed", "sent_by_mistake")
    assert house.act(waiting["id"], "reopen").json["state"] == "quarantined"
    assert transmit() == ""
    assert (house.waiting("?state=dismissed"), len(lines(city, patient))) == ([], 1)


@pytest.mark.parametrize("channel", AT_ONCE)
def test_staff_says_whose_it_is_and_confirms_what_differs(city: City, house: House, channel: str) -> None:
    patient = city.patient("张小明")
    city.bind_number(house.hospital, patient, "P1")
    house.compose(channel, "TYPO", "李大海")()
    (waiting,) = house.waiting()
    nobody = house.act(waiting["id"], "assign", patient_number="P9", why="number_wrong")
    assert (nobody.status_code, nobody.json["code"]) == (422, "records.assignee_not_found")
    body = {"patient_number": "P1", "why": "number_wrong"}
    assert house.act(waiting["id"], "assign", **body).json["reason"] == "records.person_contradicts"
    assert lines(city, patient) == []
    confirmed = house.act(waiting["id"], "assign", is_confirmed=True, **body)
    assert (confirmed.status_code, confirmed.json["state"]) == (200, "accepted")
    assert len(lines(city, patient)) == 1
    with db.transaction() as session:
        acts = select(AuditEntry).filter_by(action="records.message.assigned", subject_id=patient.person_id)
        act = session.scalars(acts.order_by(AuditEntry.id.desc())).first()
    assert act is not None
    assert (act.actor_id, act.facts["why"], act.facts["outcome"]) == (house.registrar.id, "number_wrong", "accepted")


def test_only_the_house_itself_resolves_and_only_staff_assigns(city: City, house: House) -> None:
    house.compose("fhir", "P1")()
    (waiting,) = house.waiting()
    other = city.staff(city.hospital(), Role.REGISTRAR)
    for act, body in (
        ("replay", {}),
        ("assign", {"patient_number": "P1", "why": "number_wrong"}),
        ("dismiss", {"why": "duplicate"}),
        ("reopen", {}),
    ):
        refused = house.act(waiting["id"], act, other.token, **body)
        assert (refused.status_code, refused.json["code"]) == (404, "records.message_not_found")
    operator = city.staff(None, Role.OPERATOR)
    for token, act in ((operator.token, "assign"), (operator.token, "dismiss"), (house.machine.token, "assign")):
        assert house.act(waiting["id"], act, token, why="duplicate").json["code"] == "core.permission_missing"
    assert house.act(waiting["id"], "replay", operator.token).json["state"] == "quarantined"


def test_all_of_one_reason_are_tried_again(city: City, house: House) -> None:
    patients = [city.patient(), city.patient()]
    for channel, number in (("fhir", "P0"), ("hl7v2", "P1"), ("dicomweb", "P2")):
        house.compose(channel, number)()
    for place, patient in enumerate(patients):
        city.bind_number(house.hospital, patient, f"P{place}")
    headers = bearer(house.machine.token)
    opened = city.client.post(
        "/api/v1/quarantine/replays", json={"reason": "records.person_not_matched"}, headers=headers
    )
    assert opened.status_code == 202
    jobs.carry_on({"replay_id": opened.json["id"]})
    jobs.carry_on({"replay_id": opened.json["id"]})
    done = city.client.get(f"/api/v1/quarantine/replays/{opened.json['id']}", headers=headers).json
    assert (done["filed"], done["kept"]) == (2, 1)
    assert done["ended_at"]
    assert [len(lines(city, patient)) for patient in patients] == [1, 1]
    assert [line["channel"] for line in house.waiting()] == ["dicomweb"]
    elsewhere = city.machine(city.hospital())
    lost = city.client.get(f"/api/v1/quarantine/replays/{opened.json['id']}", headers=bearer(elsewhere.token))
    assert (lost.status_code, lost.json["code"]) == (404, "records.replay_not_found")


STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "replay", "assign", "dismiss", "reopen", "bind"]), st.integers(0, 2)),
    min_size=4,
    max_size=14,
)


@settings(
    max_examples=5,
    deadline=None,
    # A failure is told as it was found: the tokens would not outlive its shrinking.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS)
def test_every_message_is_accepted_waits_or_was_dismissed(
    city: City, house: House, steps: list[tuple[str, int]]
) -> None:
    patients = [city.patient("张小明") for _ in AT_ONCE]
    numbers = [f"N{patient.card_number[:8]}" for patient in patients]
    transmit = [house.compose(channel, number) for channel, number in zip(AT_ONCE, numbers, strict=True)]
    sent: set[int] = set()
    before = {message.id for message in every_message(house)}
    found: dict[int, UUID] = {}
    for act, which in steps:
        match act:
            case "send":
                transmit[which]()
                sent.add(which)
                for message_id in {message.id for message in every_message(house)} - before - set(found.values()):
                    found[which] = message_id
            case "bind":
                city.bind_number(house.hospital, patients[which], numbers[which])
            case _ if which in found:
                body = {"dismiss": {"why": "duplicate"}, "assign": {"why": "number_wrong"}}.get(act, {})
                if act == "assign":
                    body["card_number"] = patients[which].card_number
                assert house.act(str(found[which]), act, **body).status_code in {200, 404, 409}
    messages = {message.id: message for message in every_message(house)}
    # An image that is filed at once is no message; everything else that was sent is there.
    assert sent - set(found) <= {AT_ONCE.index("dicomweb")}
    for which, patient in enumerate(patients):
        state = messages[found[which]].state if which in found else "accepted" if which in sent else None
        assert state in {None, "accepted", "quarantined", "dismissed"}
        assert len(lines(city, patient)) == (state == "accepted")


def every_message(house: House) -> list[InboundMessage]:
    with db.transaction() as session:
        return list(session.scalars(select(InboundMessage).filter_by(hospital_id=house.hospital.id)))


def test_no_message_is_deleted_and_none_says_something_else_later(city: City, house: House) -> None:
    house.compose("fhir", "P1")()
    (message,) = every_message(house)
    with pytest.raises(IntegrityError, match="inbound_messages"), db.transaction() as session:
        session.execute(delete(InboundMessage))
    with db.transaction() as session:
        assert b"P1" in intake.read_body(session.get_one(InboundMessage, message.id))
