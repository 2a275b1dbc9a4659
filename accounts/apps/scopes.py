"""What an app may ask for: SMART App Launch 2 scopes on a patient (section 3.0.2), and what each lets it do."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from accounts.roles import APP_TYPES, FHIR_BUNDLE, FHIR_READS, FHIR_SEARCHES

LAUNCH = "launch/patient"
OFFLINE = "offline_access"
# Who agreed, beside whose records they are (OpenID Connect Core 1.0, section 3.1.2.1; SMART App Launch 2, 3.0.9).
OPENID = "openid"
FHIR_USER = "fhirUser"
ANY_TYPE = "*"
# The types that a scope may confine to one category: those that can be searched by it.
CATEGORIZED = frozenset(
    {
        "AllergyIntolerance",
        "Condition",
        "DiagnosticReport",
        "DocumentReference",
        "MedicationRequest",
        "Observation",
        "Procedure",
        "ServiceRequest",
    }
)
TYPE_WORDS = {
    "AllergyIntolerance": "过敏史",
    "Condition": "健康问题与诊断",
    "DiagnosticReport": "检验检查报告",
    "DocumentReference": "病历文书",
    "Encounter": "就诊记录",
    "Immunization": "预防接种",
    "MedicationRequest": "用药与处方",
    "Observation": "检验检查结果",
    "Organization": "医疗机构名称",
    "Patient": "姓名、性别、出生日期（不含证件号，手机号已遮挡）",
    "Procedure": "手术与操作",
    "Provenance": "记录的来源",
    "ServiceRequest": "检查检验申请",
    "Specimen": "标本信息",
}
_IDENTITY_WORDS = {OPENID: "您在该应用中的登录身份（专用编号，不含姓名和证件号）", FHIR_USER: "您本人的档案编号"}
_CATEGORY_WORDS = {"laboratory": "检验", "LAB": "检验", "RAD": "影像", "imaging": "影像"}
_REGISTERED = frozenset({OFFLINE, OPENID, FHIR_USER})
_ABOUT_NO_RESOURCE = _REGISTERED | {LAUNCH}
_VERBS = {"read": "rs", "rs": "rs", "r": "r", "s": "s"}
_SCOPE = re.compile(
    r"patient/(?P<type>\*|[A-Za-z]{1,40})\.(?P<verbs>[a-z*]{1,10})"
    # Codes are compared without their system, so that of another one is not passed over but refused.
    r"(\?category=(http://terminology\.hl7\.org/CodeSystem/[\w-]{1,64}\|)?(?P<category>[\w.-]{1,64}))?"
)


@dataclass(frozen=True)
class Scope:
    """``resource_type``: or ``*``. ``verbs``: of r (read) and s (search). ``category``: only resources of this one."""

    resource_type: str
    verbs: frozenset[str]
    category: str | None

    def covers(self, other: "Scope") -> bool:
        """Whether it lets do all that the other one would."""
        return (
            self.resource_type in {ANY_TYPE, other.resource_type}
            and self.verbs >= other.verbs
            and self.category in {None, other.category}
        )


def read_scope(text: str) -> Scope:
    """:raises ValueError: not a scope on a patient that is offered here."""
    found = _SCOPE.fullmatch(text)
    if found is None or found["verbs"] not in _VERBS:
        raise ValueError(text)
    if found["type"] not in {ANY_TYPE, *APP_TYPES} or (found["category"] and found["type"] not in CATEGORIZED):
        raise ValueError(text)
    return Scope(found["type"], frozenset(_VERBS[found["verbs"]]), found["category"])


def check_scopes(texts: Iterable[str]) -> list[str]:
    """Each once, in their order.

    :raises ValueError: one is not offered here, nothing of a patient is asked for, or who agreed without ``openid``.
    """
    kept = list(dict.fromkeys(texts))
    if not list_resource_scopes(kept):
        raise ValueError("nothing of a patient")
    if FHIR_USER in kept and OPENID not in kept:
        raise ValueError("fhirUser is a claim of the id_token, which openid asks for")
    return kept


def list_resource_scopes(texts: Iterable[str]) -> list[Scope]:
    """Those that are about resources; raises as ``read_scope`` does."""
    return [read_scope(text) for text in texts if text not in _ABOUT_NO_RESOURCE]


def are_within(texts: Collection[str], registered: Collection[str]) -> bool:
    """Whether an app that is registered with some scopes may ask for these, which are offered here."""
    if (set(texts) & _REGISTERED) - set(registered):
        return False
    known = list_resource_scopes(registered)
    return all(any(one.covers(asked) for one in known) for asked in list_resource_scopes(texts))


def permissions_of(texts: Iterable[str]) -> frozenset[str]:
    """What the holder of these scopes may do; the category of a scope is asked of its resources, later."""
    return frozenset({FHIR_BUNDLE}) | frozenset(
        permission
        for scope in list_resource_scopes(texts)
        for verb, permissions in (("r", FHIR_READS), ("s", FHIR_SEARCHES))
        if verb in scope.verbs
        for name, permission in permissions.items()
        if name in APP_TYPES and scope.resource_type in {ANY_TYPE, name}
    )


def find_categories(texts: Iterable[str], resource_type: str, verb: str) -> frozenset[str] | None:
    """The categories to which these scopes confine reading (r) or searching (s) a type; None: not at all."""
    wide = Scope(resource_type, frozenset(verb), None)
    scopes = list_resource_scopes(texts)
    if any(scope.covers(wide) for scope in scopes):
        return None
    about = [scope for scope in scopes if scope.resource_type == resource_type and verb in scope.verbs]
    return frozenset(scope.category for scope in about if scope.category)


def describe_scopes(texts: Iterable[str]) -> list[str]:
    """What a patient is told that an app would see, in Chinese."""
    asked = list(texts)
    said = [_describe(scope) for scope in list_resource_scopes(asked)]
    return list(dict.fromkeys([*said, *(words for scope, words in _IDENTITY_WORDS.items() if scope in asked)]))


def list_offered() -> list[str]:
    """What is offered, as discovery says it: every type whole; categories narrow them."""
    return [
        LAUNCH,
        OFFLINE,
        OPENID,
        FHIR_USER,
        *(f"patient/{name}.rs" for name in (ANY_TYPE, *APP_TYPES)),
        "patient/*.read",
    ]


def _describe(scope: Scope) -> str:
    if scope.resource_type == ANY_TYPE:
        return "全部健康记录"
    words = TYPE_WORDS[scope.resource_type]
    return f"{words}（仅{_CATEGORY_WORDS.get(scope.category, scope.category)}类）" if scope.category else words
