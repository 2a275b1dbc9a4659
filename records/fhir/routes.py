"""The FHIR R4 interface: its routes are made from the catalogue."""

import json
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from accounts import service as accounts
from core import db, observe
from core.api import Api
from core.errors import Refusal
from core.web import current_actor, current_config, public, requires
from records.fhir import answers, capability, finding, parameters, reading, submitting, summary
from records.fhir.catalogue import KINDS, OF_A_PERSON, Kind
from records.fhir.refusals import FhirIfMatchMissing, FhirInteractionUnsupported
from records.fhir.schemas import ResourcePath, VersionPath
from records.fhir.submitting import Submission
from records.reports import service as reports

api = Api(
    "fhir", tag="FHIR R4", url_prefix="/fhir", present_problem=answers.present_problem, speaks="application/fhir+json"
)
discovery = Api("fhir_discovery", tag="FHIR R4", speaks="application/json")


@api.post("", responses={200: None}, strict_slashes=False)
@requires("records:report:submit")
def submit_bundle() -> Response:
    """A hospital system sends reports and entries: a transaction (all or nothing) or a batch (each for itself)"""
    body = _read_body()
    bundle, document = reading.read_bundle(body)
    if bundle.type == "batch":
        filed = [_file_alone(one) for one in submitting.split_batch(bundle, document)]
        return answers.present_resource(answers.compose_batch_response(filed))
    return answers.present_resource(_file(submitting.read_transaction(body, bundle, document)))


@api.get("/metadata", responses={200: None})
@public("a client reads what the server can do before it signs in (FHIR R4, section 3.1.0.9)")
def read_metadata() -> Response:
    """The CapabilityStatement of this server"""
    statement = capability.describe_server(current_config().base_url)
    return answers.present_resource(json.dumps(statement, ensure_ascii=False))


@api.get("/.well-known/smart-configuration", responses={200: None})
@discovery.get("/.well-known/smart-configuration", responses={200: None})
@public("a client reads how to sign in before it does (SMART App Launch 2)")
def read_smart_configuration() -> Response:
    """How systems sign in, and which scopes there are"""
    scopes = [scope for scope in accounts.list_scopes() if scope.startswith("system/")]
    described = capability.describe_sign_in(current_config().base_url, scopes, list(accounts.ALGORITHMS))
    return Response(json.dumps(described), mimetype="application/json")


def _add_reading(kind: Kind) -> None:
    name = kind.name

    @api.get(f"/{name}/<resource_id>", endpoint=f"read_{name}", operation_id=f"read_{name}", responses={200: None},
             summary=f"One {name}, as it is now")  # fmt: skip
    @requires(kind.permission)
    def read(path: ResourcePath) -> Response:
        with db.transaction() as session:
            found = finding.get_resource(session, current_actor(), kind, path.resource_id)
        return answers.present_found(found)

    known = ", ".join([*kind.parameters, "_count", "_sort", *(["_include"] if kind.includes else [])])

    @api.get(f"/{name}", endpoint=f"search_{name}", operation_id=f"search_{name}", responses={200: None},
             summary=f"Search {name}", description=f"Parameters: {known}.")  # fmt: skip
    @api.post(f"/{name}/_search", endpoint=f"post_search_{name}", operation_id=f"post_search_{name}",
              responses={200: None}, summary=f"Search {name} with the parameters in a form")  # fmt: skip
    @requires(kind.permission)
    def search() -> Response:
        asked = _read_search(kind)
        with db.transaction() as session:
            found = finding.search_resources(session, current_actor(), kind, asked)
        return _present_page(found, name)


def _add_history(kind: Kind) -> None:
    name = kind.name

    @api.get(f"/{name}/<resource_id>/_history", endpoint=f"history_{name}", operation_id=f"history_{name}",
             responses={200: None}, summary=f"All versions of one {name}")  # fmt: skip
    @requires(kind.permission)
    def read_history(path: ResourcePath) -> Response:
        with db.transaction() as session:
            versions = finding.list_history(session, current_actor(), kind, path.resource_id)
        bundle = answers.compose_bundle("history", current_config().base_url, versions, links={"self": _address()})
        return answers.present_found(bundle)

    @api.get(f"/{name}/<resource_id>/_history/<int:version>", endpoint=f"vread_{name}", operation_id=f"vread_{name}",
             responses={200: None}, summary=f"One version of one {name}")  # fmt: skip
    @requires(kind.permission)
    def read_version(path: VersionPath) -> Response:
        with db.transaction() as session:
            found = finding.get_resource(session, current_actor(), kind, path.resource_id, version=path.version)
        return answers.present_found(found)


def _add_writing(kind: Kind) -> None:
    name = kind.name

    @api.post(f"/{name}", endpoint=f"create_{name}", operation_id=f"create_{name}", responses={201: None},
              summary=f"File one {name}; If-None-Exist: identifier=... keeps one that is there")  # fmt: skip
    @requires("records:entry:submit")
    def create() -> Response:
        return _file_single(
            submitting.read_single(_read_body(), name, if_none_exist=request.headers.get("If-None-Exist"))
        )

    @api.put(f"/{name}/<resource_id>", endpoint=f"update_{name}", operation_id=f"update_{name}", responses={200: None},
             summary=f"File the next version of one {name}; If-Match names the current one")  # fmt: skip
    @requires("records:entry:submit")
    def update(path: ResourcePath) -> Response:
        target = (path.resource_id, _read_if_match())
        return _file_single(submitting.read_single(_read_body(), name, target=target), is_update=True)


for _kind in KINDS.values():
    _add_reading(_kind)
    if _kind.is_versioned:
        _add_history(_kind)
    if _kind.is_taken_in:
        _add_writing(_kind)


@api.get("/Patient/<resource_id>/$everything", responses={200: None})
@requires("records:fhir_patient:read")
def read_everything(path: ResourcePath) -> Response:
    """A person's whole record, page by page: what the token's scopes allow of it"""
    actor = current_actor()
    asked = _read_search(KINDS["Patient"])
    allowed = [name for name in OF_A_PERSON if actor.can(KINDS[name].permission)]
    with db.transaction() as session:
        found = finding.collect_everything(session, actor, path.resource_id, allowed, asked)
    return _present_page(found, f"Patient/{path.resource_id}/$everything")


@api.get("/Patient/<resource_id>/$summary", responses={200: None})
@requires("records:fhir_patient:read")
def read_summary(path: ResourcePath) -> Response:
    """The International Patient Summary of a person: what the token's scopes allow of it"""
    actor = current_actor()
    allowed = {name for name in OF_A_PERSON if actor.can(KINDS[name].permission)}
    with db.transaction() as session:
        document = summary.compose_summary(
            session, actor, path.resource_id, allowed, base_url=current_config().base_url
        )
    return answers.present_found(document)


@api.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@public("answers the same to everybody: there is nothing here")
def refuse_interaction(**_rest: str) -> Response:
    """Whatever else FHIR knows"""
    raise FhirInteractionUnsupported


def _read_body() -> bytes:
    reading.check_media_type(request.mimetype, request.mimetype_params.get("charset"))
    return request.get_data()


def _read_if_match() -> str:
    if "If-Match" not in request.headers:
        raise FhirIfMatchMissing
    return request.headers["If-Match"]


def _read_search(kind: Kind) -> parameters.Search:
    given = [*request.args.items(multi=True), *request.form.items(multi=True)]
    return parameters.read_search(kind, given, is_lenient="handling=lenient" in request.headers.get("Prefer", ""))


def _file(submission: Submission) -> str:
    with db.transaction() as session:
        return reports.file_reports(
            session,
            current_actor(),
            incoming=submission.incoming,
            arrival=submission.arrival,
            answer=submission.answer,
        )


def _file_alone(one: Submission | Refusal) -> dict[str, Any]:
    """What became of one entry of a batch; its refusal undoes nothing of the others."""
    try:
        if isinstance(one, Refusal):
            raise one
        response: dict[str, Any] = json.loads(_file(one))["entry"][0]["response"]
        return response
    except Refusal as refusal:
        base_url, request_id = current_config().base_url, observe.request_id()
        return answers.show_refused(refusal, base_url=base_url, request_id=request_id)


def _file_single(submission: Submission, *, is_update: bool = False) -> Response:
    resource_type = submission.places[0].resource_type
    entry_id, version, is_new = submitting.read_filed(_file(submission))
    with db.transaction() as session:
        filed = finding.show_filed(session, current_actor(), resource_type, entry_id, version)
    location = f"{current_config().base_url}/fhir/{resource_type}/{entry_id}/_history/{version}"
    return answers.present_found(filed, 201 if is_new and not is_update else 200, Location=location)


def _present_page(found: finding.Found, path: str) -> Response:
    base_url = current_config().base_url
    links = {"self": _address()}
    if found.following is not None:
        given = [*request.args.items(multi=True), *request.form.items(multi=True)]
        kept = [(name, value) for name, value in given if name != "_cursor"]
        query = urlencode([*kept, ("_cursor", parameters.write_cursor(found.following))])
        links["next"] = f"{base_url}/fhir/{path}?{query}"
    bundle = answers.compose_bundle("searchset", base_url, found.matches, included=found.included, links=links)
    return answers.present_found(bundle)


def _address() -> str:
    query = request.query_string.decode("ascii", "replace")
    return f"{current_config().base_url}{request.path}" + (f"?{query}" if query else "")
