"""What this server says of itself: the CapabilityStatement and the SMART configuration, made from the catalogue."""

from typing import Any, NoReturn

from core.api import VERSION
from records.fhir.catalogue import KINDS, Kind
from records.fhir.parameters import LONGEST_PAGE
from records.fhir.refusals import FhirInteractionUnsupported, FhirTypeReadOnly

# Only what there is (SMART App Launch 2, section 3.1.2): apps come from outside, patients choose the person.
_CAPABILITIES = (
    "launch-standalone",
    "client-public",
    "client-confidential-asymmetric",
    "context-standalone-patient",
    "permission-offline",
    "permission-patient",
    "permission-v1",
    "permission-v2",
    "sso-openid-connect",
)
# How what others do by these methods is done here.
_NOT_DONE = {
    "DELETE": "Nothing is deleted: an update whose status is entered-in-error withdraws it.",
    "PATCH": "There are no patches: read it, and send it whole by PUT, with If-Match.",
}
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
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
                "documentation": "Taking in by hospitals; reading by hospitals under a grant, by patients, and by apps "
                "that they let in. A report is sent with its Observations: in a Bundle, or inside it. Parameters that "
                f"are not known are refused, unless Prefer: handling=lenient. A page has at most {LONGEST_PAGE} "
                "resources; follow the link next.",
                "security": {
                    "extension": [
                        {
                            "url": _OAUTH_URIS,
                            "extension": [
                                {"url": "authorize", "valueUri": f"{base_url}/oauth/authorize"},
                                {"url": "token", "valueUri": f"{base_url}/oauth/token"},
                                {"url": "introspect", "valueUri": f"{base_url}/oauth/introspect"},
                                {"url": "revoke", "valueUri": f"{base_url}/oauth/revoke"},
                            ],
                        }
                    ],
                    "cors": True,
                    "service": [
                        {
                            "coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}],
                            "text": f"SMART App Launch, Backend Services: {base_url}/.well-known/smart-configuration",
                        }
                    ],
                },
                "resource": [_describe_kind(kind) for kind in KINDS.values()],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def refuse(path: str, method: str) -> NoReturn:
    """Say why there is nothing at an address below the base.

    :raises FhirTypeReadOnly: a type that is not written so; how or by whom it is, is said.
    :raises FhirInteractionUnsupported: anything else.
    """
    kind = KINDS.get(path.partition("/")[0])
    if method in {"POST", "PUT", "PATCH", "DELETE"} and kind is not None and kind.documentation:
        raise FhirTypeReadOnly(kind.name, kind.documentation)
    if kind is not None and method in _NOT_DONE:
        raise FhirTypeReadOnly(kind.name, _NOT_DONE[method])
    raise FhirInteractionUnsupported


def describe_sign_in(metadata: dict[str, Any]) -> dict[str, Any]:
    """``/.well-known/smart-configuration`` (SMART App Launch 2, section 3.1).

    :param metadata: of the OAuth 2 server, which says the same.
    """
    about_records = ("patient/", "system/", "launch/", "offline_access", "openid", "fhirUser")
    scopes = [scope for scope in metadata["scopes_supported"] if scope.startswith(about_records)]
    return metadata | {"scopes_supported": scopes, "capabilities": list(_CAPABILITIES)}


def _describe_kind(kind: Kind) -> dict[str, Any]:
    interactions = ["read", "search-type"]
    if kind.is_versioned:
        interactions += ["vread", "history-instance"]
    if kind.is_taken_in:
        interactions += ["create", "update"]
    interactions += kind.writes
    described: dict[str, Any] = {
        "type": kind.name,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned-update" if kind.is_taken_in else "versioned" if kind.is_versioned else "no-version",
        "readHistory": kind.is_versioned,
        "updateCreate": False,
        "conditionalCreate": kind.is_taken_in or "create" in kind.writes,
        "conditionalUpdate": kind.is_taken_in,
        "searchParam": [{"name": name, "type": asked[0]} for name, asked in kind.parameters.items()],
    }
    if kind.documentation:
        described["documentation"] = kind.documentation
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
