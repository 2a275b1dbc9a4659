"""What the doctor's page for emergencies says."""

CERTIFICATE_TYPES = {
    "01": "居民身份证",
    "02": "户口簿",
    "03": "护照",
    "04": "军官证",
    "05": "驾驶证",
    "06": "港澳居民来往内地通行证",
    "07": "台湾居民来往大陆通行证",
    "111": "出生医学证明",
    "99": "其他证件",
}

# What to do about a refusal, beside its title.
ADVICE = {
    "accounts.password_wrong": "请重新输入您本人的登录密码。连续输错将暂停一分钟。",
    "accounts.terminal_unknown": "紧急访问须在本院已登记的终端上开启，请选择所在终端。",
    "accounts.terminal_proof_missing": "请在该终端自己的浏览器上操作。",
    "accounts.terminal_proof_invalid": "请刷新页面后重试；仍不行时请联系信息科。",
    "health_card.person_not_found": "请核对证件类型与号码；患者可能没有登记过健康卡。救治请勿等待。",
    "health_card.certificate_invalid": "请核对证件号码。",
    "records.visit_not_found": "这次就诊已结束或不属于本院，请改用患者随身证件。",
    "consent.sensitive_not_opened": "如确需敏感内容，请选择“生命垂危”并再次提交。",
    "consent.emergency_open": "请在下方“我开启的紧急访问”中继续查看。",
    "core.malformed_request": "请填写患者、理由、情况说明（不少于 10 个字）、终端、科室和密码。",
    "core.rate_exceeded": "请稍候再试。救治请勿等待。",
}
