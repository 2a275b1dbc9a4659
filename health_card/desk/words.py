"""Codes as the desk's pages say them."""

from health_card.carriers.models import Kind
from health_card.certificates import CertificateType
from health_card.corrections.models import Field, Reason

CERTIFICATE_TYPES = {
    CertificateType.RESIDENT_ID: "居民身份证",
    CertificateType.HOUSEHOLD_BOOK: "户口簿",
    CertificateType.PASSPORT: "护照",
    CertificateType.OFFICER: "军官证",
    CertificateType.DRIVER: "驾驶证",
    CertificateType.HONG_KONG_MACAU_PERMIT: "港澳通行证",
    CertificateType.TAIWAN_PERMIT: "台湾通行证",
    CertificateType.OTHER: "其他证件",
    CertificateType.BIRTH_CERTIFICATE: "出生医学证明",
}

CARRIER_KINDS = {
    Kind.SOCIAL_SECURITY_CARD.value: "社会保障卡",
    Kind.ID_CARD.value: "居民身份证（读卡）",
    Kind.RESIDENT_HEALTH_CARD.value: "居民健康卡",
    Kind.REGIONAL_VISIT_CARD.value: "区域就诊卡",
}

FIELDS = {
    Field.NAME.value: "姓名",
    Field.PHONE.value: "手机",
    Field.SEX.value: "性别",
    Field.BIRTH_DATE.value: "出生日期",
    Field.NATION.value: "民族代码",
    Field.ADDRESS.value: "住址",
    Field.CERTIFICATE.value: "证件",
}

REASONS = {
    Reason.MISTAKE.value: "原登记有误",
    Reason.CHANGED.value: "信息变更",
    Reason.RENEWED.value: "证件换发",
    Reason.ADDED.value: "新增",
}

# What was just done, by the act's name in the address.
DONE = {
    "register": "已登记并领卡，证件已核验。",
    "verify": "证件已核验，可以办理业务。",
    "correct": "信息已更正，原值已留存，患者会收到通知。",
    "certificate": "证件已登记，患者会收到通知。",
    "withdraw": "该证件已撤销，不再指向此患者。",
    "make-primary": "已设为首要证件。",
    "report-lost": "健康卡已挂失，此前的二维码全部失效。",
    "restore": "健康卡已解除挂失，此前的二维码仍然无效。",
    "cancel": "健康卡已注销；重新申领即可恢复。",
    "issue": "健康卡已发放。",
    "reissue": "已换发新卡，旧卡的二维码全部失效。",
    "bind": "卡已绑定。",
    "end-carrier": "卡已解除绑定。",
    "pin-reset": "患者的确认密码已清除，请在手机上重新设置。",
    "end-logins": "患者本人的微信已全部退出，其持有的健康卡二维码全部失效。",
}
