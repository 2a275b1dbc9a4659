"""What a registrar does next when something was refused."""

# By refusal code; the refusal's own title says what is wrong.
ADVICE = {
    "health_card.person_not_found": "请核对证件类型和号码，外国护照请填写签发国。未登记过的，请登记并领卡。",
    "health_card.look_up_not_found": "查询 15 分钟内有效，且只限本院。请重新查询。",
    "health_card.document_not_seen": "请在「核验证件」中照证件原件录入号码，再办理业务。",
    "health_card.document_not_theirs": "请核对是否为同一人。换发的新证件，请先核验原证件或另一证件，再登记换发。",
    "health_card.document_expired": "请患者出示在有效期内的证件。",
    "health_card.recorded_details_differ": "请核验证件原件，确认后在「更正信息」中更正，不要重复登记。",
    "health_card.certificate_invalid": "请照证件重新录入号码。",
    "health_card.details_contradict_certificate": "性别、出生日期以证件号码为准。号码登记有误的，请更换证件。",
    "health_card.certificate_of_another": "平台将核查两份档案是否为同一人。请再次核对证件号码，本次没有改动。",
    "health_card.certificate_known": "无需重复登记。",
    "health_card.second_resident_id": "如原号码登记错误，请选择「原登记有误」并指明要更换的证件。",
    "health_card.certificate_not_found": "请刷新页面后重试。",
    "health_card.card_not_in_force": "只打印正常状态的健康卡。已挂失的，先解除挂失或换发新卡。",
    "health_card.card_not_found": "请刷新页面后重试。",
    "health_card.card_state_forbids": "请刷新页面，按健康卡当前的状态办理。",
    "health_card.card_replaced": "该卡刚刚换发过，请刷新页面。",
    "health_card.carrier_number_invalid": "请照卡面重新录入：社会保障卡 9 位，居民健康卡 16 至 20 位。",
    "health_card.carrier_unknown": "请用证件查询患者，再绑定此卡。",
    "health_card.carrier_taken": "请核对卡面姓名；确为本人的卡，请原绑定人先解除绑定。",
    "health_card.carrier_not_theirs": "身份证只能绑定给本人。",
    "health_card.second_factor_missing": "请照患者证件录入证件号码；新生儿尚无证件的，录入母亲或监护人的证件号码。",
    "health_card.second_factor_wrong": "请核对证件与卡是否为同一人。",
    "core.malformed_request": "请检查所填内容：手机为 11 位，或带国家码；日期形如 1985-04-12；更换证件时须指明原证件。",
    "core.rate_exceeded": "请稍候再试。",
}

OTHERWISE = "请稍后重试；仍不成功时，请把下方编号告知信息科。"


def advise(code: str) -> str:
    """One or two sentences on what to do about this refusal."""
    return ADVICE.get(code, OTHERWISE)
