"""What this server says of itself: the CapabilityStatement and the SMART configuration, made from the catalogue."""

from typing import Any

from core.api import VERSION
from records.fhir.catalogue import KINDS, Kind
from records.fhir.parameters import LONGEST_PAGE

_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"


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
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Taking in by hospitals; reading by hospitals under a grant and by patients. A report "
                "is sent with its Observations: in a Bundle, or inside it. Parameters that are not known are refused, "
                f"unless Prefer: handling=lenient. A page has at most {LONGEST_PAGE} resources; follow the link next.",
                "security": {
                    "cors": False,
                    "service": [
                        {
                            "coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}],
                            "text": f"SMART Backend Services: {base_url}/.well-known/smart-configuration",
                        }
                    ],
                },
                "resource": [_describe_kind(kind) for kind in KINDS.values()],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def describe_sign_in(base_url: str, scopes: list[str], algorithms: list[str]) -> dict[str, Any]:
    """``/.well-known/smart-configuration`` (SMART App Launch 2, Backend Services)."""
    return {
        "issuer": base_url,
        "token_endpoint": f"{base_url}/oauth/token",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "scopes_supported": scopes,
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["client-confidential-asymmetric", "permission-v1"],
    }


def _describe_kind(kind: Kind) -> dict[str, Any]:
    interactions = ["read", "search-type"]
    if kind.is_versioned:
        interactions += ["vread", "history-instance"]
    if kind.is_taken_in:
        interactions += ["create", "update"]
    described: dict[str, Any] = {
        "type": kind.name,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned-update" if kind.is_taken_in else "versioned" if kind.is_versioned else "no-version",
        "readHistory": kind.is_versioned,
        "updateCreate": False,
        "conditionalCreate": kind.is_taken_in,
        "conditionalUpdate": kind.is_taken_in,
        "searchParam": [{"name": name, "type": asked[0]} for name, asked in kind.parameters.items()],
    }
    if kind.includes:
        described["searchInclude"] = list(kind.includes)
    if kind.is_versioned:
        described["searchRevInclude"] = ["Provenance:target"]
    if kind.name == "Patient":
        described["operation"] = [
            {"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"},
            {"name": "summary", "definition": "http://hl7.org/fhir/uv/ips/OperationDefinition/summary"},
        ]
    return described
