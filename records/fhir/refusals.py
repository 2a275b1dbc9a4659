"""How the FHIR interface says no; shown as OperationOutcome."""

from core.errors import Conflict, Invalid, NotFound


class FhirMediaTypeUnsupported(Invalid):
    status = 415
    code = "records.fhir_media_type_unsupported"
    title = "只接受 JSON 格式的 FHIR 资源"
    detail = "Send application/fhir+json (or application/json) in UTF-8; XML is not supported."


class FhirUnreadable(Invalid):
    status = 400
    code = "records.fhir_unreadable"
    title = "提交的内容不是有效的 JSON"
    detail = (
        "The body is not one JSON object in UTF-8, repeats a key, holds NaN or Infinity, or is nested more than 32 "
        "levels deep."
    )


class FhirInvalid(Invalid):
    code = "records.fhir_invalid"
    title = "提交的 FHIR 资源不符合规范"
    detail = (
        "The resource does not conform to FHIR R4 or to docs/interfaces/fhir.md; see each issue's expression. It is "
        "kept whole in quarantine; send it again as it should be, and dismiss this one."
    )

    def __init__(self, *errors: tuple[str, str]) -> None:
        """:param errors: FHIRPath expression and English sentence each; never what was sent."""
        super().__init__(errors=[{"field": field, "message": message} for field, message in errors])


class FhirContentUnsupported(FhirInvalid):
    code = "records.fhir_content_unsupported"
    title = "提交的 FHIR 内容暂不支持"
    detail = (
        "Valid FHIR that is not taken in here (docs/interfaces/fhir.md), and is not dropped silently either: it is "
        "kept whole in quarantine."
    )


class FhirPatientInvalid(Invalid):
    code = "records.fhir_patient_invalid"
    title = "提交的患者信息不完整或不支持"
    detail = "See each issue's expression and docs/interfaces/fhir.md (Registering a person). Nothing of it is kept."

    def __init__(self, *errors: tuple[str, str]) -> None:
        """:param errors: FHIRPath expression and English sentence each; never what was sent."""
        super().__init__(errors=[{"field": field, "message": message} for field, message in errors])


class FhirConsentUnchangeable(Invalid):
    code = "records.fhir_consent_unchangeable"
    title = "授权只能撤回，不能修改"
    detail = "Send the Consent as it was read, with the status inactive: it is revoked from the next request on."


class FhirConsentVersionDiffers(Conflict):
    status = 412
    code = "records.fhir_consent_version_differs"
    title = "授权已有变化，请重新读取后再试"
    detail = "If-Match names another version than the current one. Read the Consent again."


class FhirTypeReadOnly(Invalid):
    status = 405
    code = "records.fhir_type_read_only"
    title = "该资源不能以此方式提交"
    detail = "GET /fhir/metadata says of each type what is taken in, and who writes the others."

    def __init__(self, resource_type: str, reason: str) -> None:
        """:param reason: who writes it, in English."""
        super().__init__(errors=[{"field": resource_type, "message": reason}])


class FhirInteractionUnsupported(NotFound):
    code = "records.fhir_interaction_unsupported"
    title = "不支持此 FHIR 操作"
    detail = "GET /fhir/metadata lists the interactions of this server, type by type."


class FhirSearchUnsupported(Invalid):
    status = 400
    code = "records.fhir_search_unsupported"
    title = "不支持此查询条件"
    detail = "See each issue; with `Prefer: handling=lenient` parameters that are not known are passed over."

    def __init__(self, *errors: tuple[str, str]) -> None:
        """:param errors: name of the parameter and English sentence each; never what was sent."""
        super().__init__(errors=[{"field": field, "message": message} for field, message in errors])


class FhirResourceNotFound(NotFound):
    code = "records.fhir_resource_not_found"
    title = "没有找到该资源"
    detail = "No such resource, or no such version of it, that the signed-in account may see."


class FhirIfMatchMissing(Invalid):
    status = 428
    code = "records.fhir_if_match_missing"
    title = "更新时须说明所依据的版本"
    detail = 'Send If-Match: W/"<version>" with the version that was read (FHIR R4, section 3.1.0.5).'
