"""How entries are put for people: what kind they are, how they stand, and what of their content is worth a line.

Source: HL7 FHIR R4 (4.0.1), the elements and value sets of the resource types that are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

KINDS = {
    "allergy": "过敏",
    "condition": "诊断",
    "document": "文书",
    "encounter": "就诊",
    "immunization": "接种",
    "medication": "用药",
    "order": "申请",
    "procedure": "手术",
    "specimen": "标本",
}
# The word of a status, and how it is marked: good, warn, bad or not at all.
STATES = {
    "active": ("进行中", ""),
    "available": ("可用", ""),
    "cancelled": ("已取消", "warn"),
    "completed": ("已完成", "good"),
    "current": ("有效", "good"),
    "draft": ("草稿", "warn"),
    "entered-in-error": ("录入有误", "bad"),
    "finished": ("已结束", "good"),
    "in-progress": ("进行中", ""),
    "inactive": ("非活动", ""),
    "not-done": ("未执行", "warn"),
    "on-hold": ("暂停", "warn"),
    "planned": ("计划中", ""),
    "recurrence": ("复发", ""),
    "relapse": ("复发", ""),
    "remission": ("缓解", "good"),
    "resolved": ("已痊愈", "good"),
    "revoked": ("已撤销", "warn"),
    "stopped": ("已停止", "warn"),
    "superseded": ("已被取代", "warn"),
    "unavailable": ("不可用", "warn"),
    "unsatisfactory": ("不合格", "warn"),
}
_ENTERED_WRONGLY = "entered-in-error"

# Elements in the order in which they are read; a dot goes one level down, through every element of a list.
_ELEMENTS = {
    "AllergyIntolerance": {
        "type": "类型",
        "category": "过敏原类别",
        "criticality": "危险程度",
        "verificationStatus": "核实情况",
        "reaction.manifestation": "反应",
        "reaction.severity": "反应程度",
    },
    "Condition": {
        "verificationStatus": "核实情况",
        "severity": "严重程度",
        "bodySite": "部位",
        "abatementDateTime": "结束时间",
    },
    "DocumentReference": {"description": "内容说明", "content.attachment.title": "文件"},
    "Encounter": {"class": "就诊类别", "serviceType": "科室", "period": "起止", "reasonCode": "就诊原因"},
    "Immunization": {
        "protocolApplied.doseNumberPositiveInt": "剂次",
        "protocolApplied.doseNumberString": "剂次",
        "doseQuantity": "剂量",
        "lotNumber": "批号",
        "expirationDate": "有效期至",
        "manufacturer": "生产企业",
        "site": "接种部位",
        "route": "接种途径",
        "statusReason": "未接种原因",
    },
    "MedicationRequest": {"dosageInstruction.text": "用法", "dispenseRequest.quantity": "数量", "reasonCode": "原因"},
    "Procedure": {"performedPeriod": "起止", "bodySite": "部位", "outcome": "结果", "performer.actor": "术者"},
    "ServiceRequest": {"priority": "紧急程度", "bodySite": "部位", "reasonCode": "申请原因"},
    "Specimen": {"collection.bodySite": "采集部位", "collection.quantity": "采集量", "receivedTime": "接收时间"},
}
_CODES = {
    "allergy": "过敏",
    "intolerance": "不耐受",
    "food": "食物",
    "medication": "药物",
    "environment": "环境",
    "biologic": "生物制品",
    "low": "低",
    "high": "高",
    "unable-to-assess": "无法评估",
    "mild": "轻",
    "moderate": "中",
    "severe": "重",
    "confirmed": "已确认",
    "unconfirmed": "未确认",
    "provisional": "初步",
    "differential": "鉴别中",
    "refuted": "已排除",
    "routine": "常规",
    "urgent": "急",
    "asap": "尽快",
    "stat": "立即",
}


@dataclass(frozen=True)
class Line:
    """One thing that an entry says, for example 批号: A2026."""

    label: str
    text: str


def describe(resource_type: str, content: dict[str, Any]) -> list[Line]:
    """What an entry says beside its name, its time and its status; each line once, notes at the end.

    :param content: the resource, as it was accepted.
    """
    found: dict[str, list[str]] = {}
    for path, label in (_ELEMENTS[resource_type] | {"note.text": "备注"}).items():
        for value in _walk(content, path.split(".")):
            text = _write(value)
            if text and text not in found.setdefault(label, []):
                found[label].append(text)
    return [Line(label, "；".join(texts)) for label, texts in found.items() if texts]


def is_void(status: str) -> bool:
    """Whether whoever sent it has declared it a mistake."""
    return status == _ENTERED_WRONGLY


def _walk(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _walk(each, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _walk(value[path[0]], path[1:])


def _write(value: Any) -> str:
    """A concept by its text, a quantity with its unit, a reference by what it is called, a period by its ends."""
    if isinstance(value, str):
        return _CODES.get(value, value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if not isinstance(value, dict):
        return str(value)
    if "value" in value:
        return f"{_write(value['value'])} {value.get('unit', '')}".strip()
    if "start" in value or "end" in value:
        return f"{value.get('start', '')} – {value.get('end', '')}".strip()
    coded = next((one for one in value.get("coding") or [] if isinstance(one, dict)), value)
    code = str(coded.get("code", ""))
    return str(value.get("text") or coded.get("display") or _CODES.get(code, code))
