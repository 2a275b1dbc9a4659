"""What a person at a desk does next when a scan was refused."""

# By refusal code; the refusal's own title says what is wrong.
ADVICE = {
    "health_card.code_malformed": "请扫描患者手机上的健康卡二维码。若内容显示不全，请把电脑输入法切换为英文后重扫。",
    "health_card.code_forged": "请患者在微信中重新打开健康卡，不要使用截图或翻拍。多次出现时请核对患者证件。",
    "health_card.code_expired": "二维码每分钟更新一次，请患者下拉刷新后立即重扫。",
    "health_card.code_redeemed": "每个二维码只能使用一次。请患者刷新二维码；若患者称未在别处使用，请核对证件。",
    "health_card.code_revoked": "该卡已挂失、注销或换发。请核对患者证件，并请患者重新打开健康卡。",
    "health_card.code_wrong_class": "请患者在微信中返回健康卡首页，出示就诊用的二维码，不要出示付款码。",
    "health_card.payment_differs": "付款码只在收费时使用。请患者按本次金额重新生成。",
    "health_card.second_factor_missing": (
        "这是打印的静态码。请在「证件号码」一栏录入患者证件上的号码（新生儿尚无证件的，录入母亲或监护人的），再点登记。"
    ),
    "health_card.second_factor_wrong": "请核对患者出示的证件与健康卡是否为同一人，并重新录入证件号码。",
    "health_card.carrier_unknown": "请核对卡的种类和卡号；未绑定时，请在「居民服务」中核对证件后绑定。",
    "health_card.carrier_number_invalid": "请核对卡的种类，并照卡面重新录入卡号。",
    "health_card.health_code_invalid": "请患者在手机上重新生成授权码。",
    "health_card.terminal_locked": "一分钟内失败次数过多。请稍候再扫，或改用另一终端。",
    "health_card.patient_number_taken": "请核对门诊号；患者在本院已有门诊号时，此栏可留空。",
    "records.department_unknown": "请在「科室」一栏重新选择科室后再扫。",
    "accounts.department_not_here": "请在「科室」一栏选择本院的科室；确有此科室的，请平台运营为本院登记。",
    "accounts.terminal_unknown": "请在「终端」一栏改选本窗口的终端；没有可选项时请联系信息科登记。",
    "accounts.terminal_key_missing": "请打开「/desk/enrol」页面，用平台运营提供的登记码登记本机。",
    "accounts.terminal_proof_missing": "该终端只能在登记过的电脑上使用。请改选本机的终端，或请平台运营重新登记。",
    "accounts.terminal_proof_invalid": "请核对电脑时间，刷新页面后重扫。仍不成功时，请平台运营为本机重新登记。",
    "health_card.not_confirmed": "请患者在手机上确认后再办理；患者也可在小程序输入确认密码，出示确认码，由本窗口扫码。",
    "health_card.confirmation_not_possible": "本次就诊不是扫手机二维码登记的。请患者打开健康卡，重扫动态码。",
    "health_card.register_yourself_first": "确认的微信尚未登记本人。请先核验其证件。",
    "core.malformed_request": "请检查所填内容后重试。",
}

# For what can only be an accident, and for refusals of packages that a desk seldom meets.
OTHERWISE = "请稍后重试；仍不成功时，请把下方编号告知信息科。"


def advise(code: str) -> str:
    """One or two sentences on what to do about this refusal."""
    return ADVICE.get(code, OTHERWISE)
