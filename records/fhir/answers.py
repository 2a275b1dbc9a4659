"""What the FHIR interface answers: transaction responses, OperationOutcomes, the CapabilityStatement."""

import json
from typing import Any

from flask import Response

from core.api import VERSION
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
    413: "too-long",
    415: "not-supported",
    422: "processing",
    429: "throttled",
    500: "exception",
    503: "transient",
}


def compose_response(places: list[Place], filed: list[FiledReport]) -> str:
    """The transaction-response: one entry for each of the request, in its order (FHIR R4, section 3.1.0.11.2)."""
    entries = [{"response": _entry(place, filed[place.report])} for place in places]
    return json.dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def present_problem(problem: dict[str, Any]) -> Response:
    """A refusal as an OperationOutcome: our stable code in ``issue.details.coding``."""
    errors = problem.get("errors") or [{}]
    outcome = {"resourceType": "OperationOutcome", "issue": [_issue(problem, error) for error in errors]}
    return present_resource(json.dumps(outcome, ensure_ascii=False), problem["status"])


def present_resource(text: str, status: int = 200) -> Response:
    """A resource that is JSON text already."""
    reply = Response(text, status, content_type=MEDIA_TYPE)
    reply.headers["Cache-Control"] = "no-store"
    return reply


def describe_server(base_url: str) -> dict[str, Any]:
    """The CapabilityStatement: what this server does, and nothing else."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "software": {"name": "Yimatong 一码通", "version": VERSION},
        "implementation": {"description": "Electronic health card platform", "url": f"{base_url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Taking in reports only: a transaction of DiagnosticReports with their Observations.",
                "security": {
                    "service": [
                        {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                                    "code": "SMART-on-FHIR",
                                }
                            ],
                            "text": f"SMART Backend Services, token at {base_url}/oauth/token, scope system/*.write",
                        }
                    ]
                },
                "interaction": [{"code": "transaction"}],
            }
        ],
    }


def _entry(place: Place, filed: FiledReport) -> dict[str, str]:
    if place.line == 0:
        location = f"DiagnosticReport/{filed.report_id}"
    else:
        location = f"Observation/{filed.report_id}.{place.line}"
    return {
        "status": "201 Created" if filed.is_new else "200 OK",
        "location": f"{location}/_history/{filed.version}",
        "etag": f'W/"{filed.version}"',
    }


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
