"""Two acts: a family with a newborn, and what a patient confirms on the phone."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from simulator.demo import documents
from simulator.demo.cast import Phone, Staff, new_phone
from simulator.people import invent_person

if TYPE_CHECKING:
    from simulator.demo.story import Story


def raise_a_child(story: "Story") -> None:
    """A newborn without a number, a second guardian, and an invitation that is taken back."""
    stage = story.stage
    stage.title("十一、家庭 · Family")
    mother_person = invent_person("林测试", born="19930615", is_male=False)
    mother, father = new_phone(stage, story.control), new_phone(stage, story.control)
    for phone, person in ((mother, mother_person), (father, invent_person("郭测试", born="19920301", is_male=True))):
        phone.sign_in()
        phone.register(person, expect=(200, 201))
    born = {
        "name": "林测试之女",
        "sex": "female",
        "birth_date": datetime.now(documents.CITY).date().isoformat(),
        "mother_certificate_number": mother_person.certificate_number,
    }
    child = mother.post("/api/v1/family/newborns", born, expect=(200, 201))
    again = mother.post("/api/v1/family/newborns", born, expect=200)
    stage.check(child["holder"] == "confirmed" and again["holder_id"] == child["holder_id"], "not one newborn")
    stage.say("母亲登记尚无证件的新生儿，健康卡即刻可用；重复登记还是这个孩子", "a newborn without a number has a card")
    guardian = {"kind": "guardian", "relation": "child", "holder_id": child["holder_id"]}
    invited = mother.post("/api/v1/family/invitations", guardian, expect=201)
    father.post("/api/v1/family/invitations/accept", {"code": invited["code"]}, expect=200)
    until = datetime.fromisoformat(child["valid_until"]).astimezone(documents.CITY)
    held = [member["person_id"] for member in father.get("/api/v1/family")["members"]]
    stage.check(child["person_id"] in held, "the second guardian does not act for the child")
    stage.say(
        f"父亲接受邀请，成为第二监护人，至孩子14周岁（{until:%Y-%m-%d}）", "the second guardian, until the age of 14"
    )
    withdrawn = mother.post("/api/v1/family/invitations", {"kind": "consent", "relation": "spouse"}, expect=201)
    path = f"/api/v1/family/invitations/{withdrawn['invitation_id']}"
    stage.send("DELETE", path, token=mother.access_token, expect=204)
    stage.refused(
        "POST",
        "/api/v1/family/invitations/accept",
        token=father.access_token,
        json={"code": withdrawn["code"]},
        code="health_card.invitation_not_in_force",
        expect=404,
    )
    stage.say("撤回的邀请不能再接受", "an invitation that was withdrawn is accepted no more")


def confirm_on_the_phone(story: "Story") -> None:
    """A code made with the PIN, and a tap on what a desk asks: each opens one thing, once."""
    stage, phone = story.stage, story.phone
    stage.title("十二、在手机上确认 · Confirming on the phone")
    desk = Staff.sign_in(stage, story.credentials, story.hospital_a, "registrar")
    visit_id = desk.scan(phone.show_confirmed_code(story.card_id))["visit_id"]
    holders = _list_holders(story, desk, visit_id)
    stage.check(holders[0]["person"]["name"] == "陈*试", "another person came by his phone")
    stage.say("窗口扫确认码（凭确认密码生成），不录证件号码就知道来人", "a code made with the PIN says who is here")
    path = f"/api/v1/desk/visits/{visit_id}/confirmed-look-ups"
    stage.refused("POST", path, token=desk.token, json={}, code="health_card.not_confirmed", expect=409)
    stage.say("确认只用一次：再用即被拒绝", "what was confirmed is used up")
    _sign_up_by_tap(story, phone, desk, visit_id)


def _list_holders(story: "Story", desk: Staff, visit_id: str) -> list[dict[str, Any]]:
    path = f"/api/v1/desk/visits/{visit_id}/confirmed-look-ups"
    look_up = story.stage.send("POST", path, token=desk.token, json={}, expect=201).json()["look_up_id"]
    reply = story.stage.send(
        "POST", "/api/v1/desk/holders/look-up", token=desk.token, json={"look_up_id": look_up}, expect=200
    )
    holders: list[dict[str, Any]] = reply.json()["holders"]
    return holders


def _sign_up_by_tap(story: "Story", phone: Phone, desk: Staff, visit_id: str) -> None:
    stage = story.stage
    ask = f"/api/v1/visits/{visit_id}/confirmations"
    asked = stage.send("POST", ask, token=desk.token, json={"purpose": "credit"}, expect=201).json()["confirmation_id"]
    told = [notice["object_id"] for notice in phone.get("/api/v1/notices")["notices"]]
    stage.check(asked in told, "the phone was not told of what the desk asks")
    answer = f"/api/v1/confirmations/{asked}/answer"
    stage.send("POST", answer, token=phone.access_token, json={"answer": "confirmed"}, expect=204)
    product = phone.get("/api/v1/credit/products")["products"][0]
    body = {"product_code": product["code"], "agreement_version": product["agreement_version"]}
    lines = f"/api/v1/visits/{visit_id}/credit-lines"
    line = stage.send("POST", lines, token=desk.token, json=body, expect=200).json()
    stage.check(line["person_name"] == "陈*试", "another person's line")
    stage.say(
        "窗口请求确认信用签约：手机收到通知，患者点一下即可（已签约，还是同一额度）", "a tap confirms the sign-up"
    )
