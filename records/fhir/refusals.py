"""How the FHIR interface says no; shown as OperationOutcome."""

from core.errors import Invalid, NotFound


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
