"""How the administration's pages put things: Chinese words of codes, and days of the city as moments."""

from datetime import date, datetime, time, timedelta

from accounts.administration.schemas import AuditQuery
from accounts.models import Role
from accounts.service.oversight import AuditFilter
from core import clock

ROLES = {
    Role.REGISTRAR: "登记员",
    Role.DOCTOR: "医生",
    Role.OPERATOR: "平台运营",
    Role.SECURITY_ADMINISTRATOR: "安全管理",
    Role.AUDIT_ADMINISTRATOR: "审计管理",
    Role.QUALITY_OFFICER: "质控专家",
    Role.MEDICAL_AFFAIRS: "医务科",
}
STAFF_NAMINGS = {"full": "姓名", "surname": "姓氏与身份，如「王医生」", "role": "只说身份，如「医生」"}
LEVELS = {3: "三级", 2: "二级", 1: "一级", 0: "未定级"}
TERMINAL_KINDS = {"01": "人工窗口", "02": "自助机", "99": "其他"}
FLAG_REASONS = {"not_me": "患者称非本人", "refused_codes": "连续扫码失败,曾被锁定"}
KEY_STATES = {
    "waiting": "待启用",
    "signing": "签名中",
    "verifying": "仅验签",
    "expired": "已过期",
    "killed": "已作废",
}
KEY_PURPOSES = {"access_token": "访问令牌", "id_token": "应用登录身份", "code": "健康卡二维码", "document": "报告文件"}
SCOPES = {
    "system/*.write": "上传报告和健康记录（FHIR）",
    "system/*.read": "读取患者授权的健康记录（FHIR）",
    "dicomweb.write": "上传影像（DICOMweb）",
    "billing.write": "信用就医扣费",
    "quarantine.read": "查看本院待处理消息",
    "code_mappings.write": "对照本院检验项目代码",
    "access_questions.write": "答复患者的调阅疑问",
    "quarantine.write": "重试或作废本院待处理消息",
}


def audit_filter(query: AuditQuery) -> AuditFilter:
    """What was asked for, with days of the city turned into moments."""
    return AuditFilter(
        action=query.action,
        since=_begin_of(query.since) if query.since else None,
        until=_begin_of(query.until + timedelta(days=1)) if query.until else None,
        actor_id=query.actor_id,
        subject_id=query.subject_id,
        object_id=query.object_id,
    )


def _begin_of(day: date) -> datetime:
    return datetime.combine(day, time(), clock.CITY_ZONE)
