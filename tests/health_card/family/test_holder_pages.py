"""The desk page on which it is checked who may act for whom."""

import pytest

from accounts.models import Role
from tests.health_card.family.household import Household, born_years_ago, document, number_of, today
from tests.support.browsing import Browser
from tests.support.city import Patient, resident_id

PAGE = "/desk/holders"


@pytest.fixture
def desk(household: Household) -> Browser:
    return household.desk_window()


def look_up(desk: Browser, visitor: Patient | str) -> str:
    return desk.post(PAGE, document(visitor) | {"country": ""}).text


def test_the_desk_leads_to_it_and_a_doctor_has_nothing_to_do_there(household: Household, desk: Browser) -> None:
    assert f'href="{PAGE}"' in desk.get("/desk").text
    assert "录入来人" in desk.get(PAGE).text
    doctor = Browser(household.city.app)
    doctor.sign_in(household.city.staff(household.hospital, Role.DOCTOR))
    assert PAGE not in doctor.get("/desk").text
    assert doctor.get(PAGE).status_code == 403


def test_what_waits_is_listed_masked_and_confirmed(household: Household, desk: Browser) -> None:
    number = number_of(born_years_ago(6))
    household.add(household.mother, certificate_number=number)
    waiting = household.add(household.father, certificate_number=number).json
    page = look_up(desk, household.father)
    for shown in ("王*测", "等待核验", "未满14周岁", "王*试，称其为子女", "出生医学证明"):
        assert shown in page
    for hidden in (household.father.phone, "王测试", number):
        assert hidden not in page
    form = document(household.father) | {"proof": "household_book"}
    done = desk.post(f"{PAGE}/{waiting['holder_id']}/confirm", form)
    assert (done.status_code, done.headers["Cache-Control"]) == (200, "no-store")
    assert "已确认" in done.text
    assert "窗口已核验" in done.text
    assert household.card_of(household.father, "王*测") is not None


def test_too_little_proof_is_refused_in_its_place_and_the_list_stays(household: Household, desk: Browser) -> None:
    second = household.register_again(household.mother)
    (waiting,) = household.family(second)["members"]
    form = document(household.mother) | {"proof": "identity_document"}
    reply = desk.post(f"{PAGE}/{waiting['holder_id']}/confirm", form)
    assert (reply.status_code, "health_card.proof_does_not_fit" in reply.text) == (422, True)
    assert "等待核验" in reply.text
    reply = desk.post(f"{PAGE}/{waiting['holder_id']}/confirm", form | {"person_was_present": "true"})
    assert reply.status_code == 200
    assert household.card_of(second, "李*试") is not None


def test_a_claim_is_refused_with_a_reason(household: Household, desk: Browser) -> None:
    number = number_of(born_years_ago(6))
    household.add(household.mother, certificate_number=number)
    waiting = household.add(household.father, certificate_number=number).json
    form = document(household.father) | {"reason": "documents_missing"}
    reply = desk.post(f"{PAGE}/{waiting['holder_id']}/refuse", form)
    assert (reply.status_code, "已拒绝" in reply.text) == (200, True)
    assert len(household.family(household.father)["members"]) == 1


def test_a_newborn_gets_its_number(household: Household, desk: Browser) -> None:
    child = household.add_newborn(household.mother, sex="unknown").json
    assert "登记孩子自己的证件" in look_up(desk, household.mother)
    own = {"child_certificate_type": "01", "child_certificate_number": number_of(today()), "child_name": "王小测"}
    reply = desk.post(f"{PAGE}/{child['holder_id']}/certificate", document(household.mother) | own)
    assert (reply.status_code, "已登记证件" in reply.text) == (200, True)
    assert "登记孩子自己的证件" not in reply.text
    assert "王*测" in reply.text


def test_who_confirms_on_the_phone_is_served_without_his_number(household: Household, desk: Browser) -> None:
    city, mother = household.city, household.mother
    own = household.family(mother)["members"][0]["holder_id"]
    household.confirm(mother, own, "identity_document", person_was_present=True)
    second = household.register_again(mother)
    (waiting,) = household.family(second)["members"]
    visit = f"/desk/visits/{city.visit(household.registrar, mother, household.hospital)}"
    too_early = desk.post(f"{visit}/holders", {})
    assert (too_early.status_code, "health_card.not_confirmed" in too_early.text) == (409, True)
    assert "返回本次就诊" in too_early.text
    asked = desk.post(f"{visit}/confirmations", {}).headers["Location"]
    assert "查看是否已确认" in desk.get(asked).text
    answer = f"/confirmations/{asked.rpartition('asked=')[2]}/answer"
    assert household.post(mother, answer, {"answer": "confirmed"}).status_code == 204
    assert "5 分钟内可以办理一次" in desk.get(asked).text
    page = desk.post(f"{visit}/holders", {}).headers["Location"]
    assert "本人手机已确认" in desk.get(page).text
    form = {"look_up_id": page.rpartition("/")[2], "proof": "phone", "person_was_present": "true"}
    done = desk.post(f"{PAGE}/{waiting['holder_id']}/confirm", form)
    assert (done.status_code, "已确认" in done.text) == (200, True)
    assert household.card_of(second, "李*试") is not None


def test_nobody_waiting_and_no_such_document_look_the_same(desk: Browser) -> None:
    page = look_up(desk, resident_id())
    assert "没有等待核验的申请" in page


def test_a_number_that_cannot_be_is_refused(desk: Browser) -> None:
    reply = desk.post(PAGE, document("110105194912310021"))
    assert (reply.status_code, "health_card.certificate_invalid" in reply.text) == (422, True)
    reply = desk.post(f"{PAGE}/0199b6a0-0000-7000-8000-000000000000/confirm", document("1"))
    assert (reply.status_code, "core.malformed_request" in reply.text) == (422, True)


def test_it_needs_the_token_of_the_form(household: Household, desk: Browser) -> None:
    reply = desk.post(PAGE, document(household.mother) | {"csrf_token": "0" * 64})
    assert (reply.status_code, "core.cross_site_request" in reply.text) == (403, True)
