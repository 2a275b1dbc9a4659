"""The code lists that a desk chooses from, with their Chinese names."""

from accounts.service import DEPARTMENTS

__all__ = ["DEPARTMENTS", "MEDICAL_STEPS", "VISIT_KINDS"]

# The national medical steps (用卡环节).
MEDICAL_STEPS = {
    "010101": "挂号",
    "010102": "诊断",
    "010103": "取药",
    "010104": "检查",
    "010105": "收费",
    "010106": "开方",
    "010107": "手术",
}

VISIT_KINDS = {"O": "门诊", "E": "急诊", "I": "住院", "H": "体检", "T": "其他"}

# Other cards that a desk reads in the place of a code.
CARRIER_KINDS = {
    "social_security_card": "社会保障卡",
    "id_card": "居民身份证（读卡）",
    "resident_health_card": "居民健康卡",
    "regional_visit_card": "区域就诊卡",
}
