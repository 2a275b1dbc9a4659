"""What the FHIR interface answers: resources, Bundles, OperationOutcomes."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from flask import Response
from werkzeug.http import http_date

from core import exact_json
from core.errors import Refusal
from records.fhir import systems
from records.fhir.translation import Place
from records.reports.service import FiledReport

MEDIA_TYPE = "application/fhir+json; charset=utf-8"

# HTTP status to the closest code of http://hl7.org/fhir/issue-type.
_ISSUE_TYPES = {
    400: "structure",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    409: "conflict",
    412: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "processing",
    428: "required",
    429: "throttled",
    500: "exception",
    503: "transient",
}


def compose_response(places: list[Place], filed: list[FiledReport]) -> str:
    """The transaction-response: one entry for each of the request, in its order (FHIR R4, section 3.1.0.11.2)."""
    entries = [{"response": show_filed(place, filed[place.filed])} for place in places]
    return json.dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def present_problem(problem: dict[str, Any]) -> Response:
    """A refusal as an OperationOutcome: our stable code in ``issue.details.coding``."""
    return present_resource(json.dumps(_outcome(problem), ensure_ascii=False), problem["status"])


def present_resource(text: str, status: int = 200, **headers: str) -> Response:
    """A resource that is JSON text already."""
    reply = Response(text, status, content_type=MEDIA_TYPE)
    reply.headers["Cache-Control"] = "no-store"
    reply.headers.update(headers)
    return reply


def present_found(resource: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """A resource with the version that it is in."""
    meta = resource.get("meta") or {}
    if "versionId" in meta:
        headers = {"ETag": f'W/"{meta["versionId"]}"', **headers}
    if "lastUpdated" in meta:
        headers = {"Last-Modified": http_date(datetime.fromisoformat(meta["lastUpdated"])), **headers}
    return present_resource(exact_json.dump(resource), status, **headers)


def compose_bundle(
    kind: str,
    base_url: str,
    matches: list[dict[str, Any]],
    *,
    included: Iterable[dict[str, Any]] = (),
    links: Mapping[str, str] = MappingProxyType({}),
    total: int | None = None,
) -> dict[str, Any]:
    """A Bundle of what was found.

    :param kind: searchset or history.
    :param links: relation to address: self, next.
    :param total: of matches on all pages, where it is told.
    """
    entries = []
    for mode, resources in (("match", matches), ("include", included)):
        for resource in resources:
            address = f"{resource['resourceType']}/{resource['id']}"
            entry: dict[str, Any] = {"fullUrl": f"{base_url}/fhir/{address}", "resource": resource}
            if kind == "searchset":
                entry["search"] = {"mode": mode}
            else:
                # A visit that the platform saw has no versions: it is as it is.
                version = resource["meta"].get("versionId", "1")
                is_first = version == "1"
                entry["request"] = {
                    "method": "POST" if is_first else "PUT",
                    "url": resource["resourceType"] if is_first else address,
                }
                entry["response"] = {"status": "201" if is_first else "200", "etag": f'W/"{version}"'}
            entries.append(entry)
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    if kind == "history" or total is not None:
        bundle["total"] = len(matches) if total is None else total
    bundle["link"] = [{"relation": relation, "url": url} for relation, url in links.items()]
    return bundle | ({"entry": entries} if entries else {})


def _outcome(problem: dict[str, Any]) -> dict[str, Any]:
    errors = problem.get("errors") or [{}]
    issues = [_issue(problem, error) for error in errors]
    if "message_id" in problem:
        issues.append(_note_kept(problem["message_id"]))
    return {"resourceType": "OperationOutcome", "issue": issues}


def _note_kept(message_id: str) -> dict[str, Any]:
    return {
        "severity": "information",
        "code": "informational",
        "details": {"coding": [{"system": systems.MESSAGE, "code": message_id}], "text": "已转入待处理"},
        "diagnostics": "What was sent is kept whole in quarantine, under this id (GET /api/v1/quarantine/{id}).",
    }


def describe_filed(resource_type: str, resource_id: str, version: int) -> dict[str, Any]:
    """What was filed, as an OperationOutcome (``Prefer: return=OperationOutcome``)."""
    said = f"{resource_type}/{resource_id}/_history/{version}"
    issue = {"severity": "information", "code": "informational", "details": {"text": "已登记"}, "diagnostics": said}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def compose_batch_response(entries: list[dict[str, Any]]) -> str:
    """The batch-response: what became of each entry, in the order of the request."""
    return exact_json.dump({"resourceType": "Bundle", "type": "batch-response", "entry": entries})


def show_filed(place: Place, filed: FiledReport) -> dict[str, Any]:
    """Where one resource stands now: ``Bundle.entry.response``."""
    resource_id = f"{filed.report_id}.{place.line}" if place.line else str(filed.report_id)
    return {
        "status": "201 Created" if filed.is_new else "200 OK",
        "location": f"{place.resource_type}/{resource_id}/_history/{filed.version}",
        "etag": f'W/"{filed.version}"',
    }


def show_refused(refusal: Refusal, *, base_url: str, request_id: str) -> dict[str, Any]:
    """Why one entry of a batch was refused: ``Bundle.entry.response``."""
    problem = refusal.problem(base_url=base_url, request_id=request_id)
    return {"status": str(refusal.status), "outcome": _outcome(problem)}


def _issue(problem: dict[str, Any], error: dict[str, str]) -> dict[str, Any]:
    issue: dict[str, Any] = {
        "severity": "error",
        "code": _ISSUE_TYPES.get(problem["status"], "processing"),
        "details": {
            "coding": [{"system": systems.REFUSAL, "code": problem["code"]}],
            "text": problem["title"],
        },
        "diagnostics": " ".join([error["message"]] if error else [problem["detail"]]),
    }
    if error:
        issue["expression"] = [error["field"]]
    return issue
