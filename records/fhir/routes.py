"""The FHIR R4 interface: its routes are made from the catalogue."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from flask import Response, request

from accounts import service as accounts
from core import db, limits, observe
from core.api import Api
from core.errors import PermissionMissing, Refusal
from core.web import current_actor, current_config, public, requires
from health_card import service as health_card
from records.fhir import addressing, answers, capability, finding, parameters, persons, reading, submitting
from records.fhir.catalogue import KINDS, Kind
from records.fhir.refusals import FhirInvalid
from records.fhir.schemas import ResourcePath, VersionPath
from records.fhir.submitting import Submission
from records.intake import service as intake
from records.intake.service import Arrival

api = Api(
    "fhir", tag="FHIR R4", url_prefix="/fhir", present_problem=answers.present_problem, speaks="application/fhir+json"
)
GUESSES_PER_MINUTE = 5
_FILING = "records:report:submit"

discovery = Api("fhir_discovery", tag="FHIR R4", speaks="application/json")


@api.post("", responses={200: None}, strict_slashes=False)
@requires("records:fhir_bundle:send")
def submit_bundle() -> Response:
    """A transaction of reports and entries (all or nothing), or a batch of these and of reads (each for itself)"""
    body = _read_body()
    document = reading.read_document(body)
    arrival = submitting.arrive(body, document)
    if document.get("type") != "batch":
        _check_may_file()
        return answers.present_resource(_file(arrival, partial(submitting.read_transaction, document, arrival)))
    with _keeping(arrival) if current_actor().can(_FILING) else nullcontext():
        reading.check_bundle(document)
        reading.check_reads(document)
    filed = [_answer_alone(entry, number) for number, entry in enumerate(document["entry"])]
    return answers.present_resource(answers.compose_batch_response(filed))


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
    described = capability.describe_sign_in(accounts.describe_sign_in(current_config().base_url))
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

    known = ", ".join([*kind.parameters, *parameters.list_controls(kind)])

    @api.get(f"/{name}", endpoint=f"search_{name}", operation_id=f"search_{name}", responses={200: None},
             summary=f"Search {name}", description=f"Parameters: {known}.")  # fmt: skip
    @api.post(f"/{name}/_search", endpoint=f"post_search_{name}", operation_id=f"post_search_{name}",
              responses={200: None}, summary=f"Search {name} with the parameters in a form")  # fmt: skip
    @requires(kind.search_permission)
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
    @requires(kind.submit_permission)
    def create() -> Response:
        return _file_single(name, {"method": "POST", "url": name} | _read_condition("ifNoneExist", "If-None-Exist"))

    @api.put(f"/{name}/<resource_id>", endpoint=f"update_{name}", operation_id=f"update_{name}", responses={200: None},
             summary=f"File the next version of one {name}; If-Match names the current one")  # fmt: skip
    @requires(kind.submit_permission)
    def update(path: ResourcePath) -> Response:
        return _file_single(
            name, {"method": "PUT", "url": f"{name}/{path.resource_id}"} | _read_condition("ifMatch", "If-Match")
        )

    @api.put(f"/{name}", endpoint=f"update_named_{name}", operation_id=f"update_named_{name}", responses={200: None},
             summary=f"File one {name}, or the next version of it: ?identifier=... is its own identifier")  # fmt: skip
    @requires(kind.submit_permission)
    def update_named() -> Response:
        url = f"{name}?{request.query_string.decode('utf-8', 'replace')}"
        return _file_single(name, {"method": "PUT", "url": url} | _read_condition("ifMatch", "If-Match"))


for _kind in KINDS.values():
    _add_reading(_kind)
    if _kind.is_versioned:
        _add_history(_kind)
    if _kind.is_taken_in:
        _add_writing(_kind)


@api.post("/Patient", endpoint="create_Patient", operation_id="create_Patient", responses={200: None, 201: None})
@requires("health_card:patient:register")
def register_patient() -> Response:
    """Register the person of a certificate, who stands at this hospital; again: the same person

    If-None-Exist may name the certificate or the hospital's patient number."""
    document = reading.read_document(_read_body())
    shown, is_new = _register(document, request.headers.get("If-None-Exist"))
    location = f"{current_config().base_url}/fhir/Patient/{shown['id']}"
    return answers.present_found(shown, 201 if is_new else 200, Location=location)


@api.put("/Consent/<resource_id>", endpoint="update_Consent", operation_id="update_Consent", responses={200: None})
@requires("consent:grant:revoke")
def revoke_consent(path: ResourcePath) -> Response:
    """The patient takes a consent back: the Consent as it was read, with the status inactive"""
    document = reading.read_document(_read_body())
    with db.transaction() as session:
        shown = persons.revoke_consent(
            session, current_actor(), path.resource_id, document, if_match=request.headers.get("If-Match")
        )
    return answers.present_found(shown)


@api.get("/Patient/<resource_id>/$everything", responses={200: None})
@requires("records:fhir_patient:read")
def read_everything(path: ResourcePath) -> Response:
    """A person's whole record, page by page: what the token's scopes allow of it

    Parameters: _type, _since, start, end, _count."""
    given = list(request.args.items(multi=True))
    with db.transaction() as session:
        found = addressing.read_everything(session, current_actor(), path.resource_id, given)
    return _present_page(found, f"Patient/{path.resource_id}/$everything")


@api.get("/Patient/<resource_id>/$summary", responses={200: None})
@requires("records:fhir_patient:read")
def read_summary(path: ResourcePath) -> Response:
    """The International Patient Summary of a person: what the token's scopes allow of it"""
    base_url = current_config().base_url
    with db.transaction() as session:
        document = addressing.read_summary(session, current_actor(), path.resource_id, base_url=base_url)
    return answers.present_found(document)


@api.get("", responses={404: None}, strict_slashes=False)
@public("answers the same to everybody: there is nothing here")
def refuse_search() -> Response:
    """No search over all types"""
    capability.refuse("", request.method)


@api.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@public("answers the same to everybody: there is nothing here")
def refuse_interaction(rest: str) -> Response:
    """Whatever else FHIR knows"""
    capability.refuse(rest, request.method)


def _read_body() -> bytes:
    reading.check_media_type(request.mimetype, request.mimetype_params.get("charset"))
    return request.get_data()


def _read_condition(element: str, header: str) -> dict[str, str]:
    return {element: request.headers[header]} if header in request.headers else {}


def _read_search(kind: Kind) -> parameters.Search:
    given = [*request.args.items(multi=True), *request.form.items(multi=True)]
    return parameters.read_search(kind, given, is_lenient="handling=lenient" in _read_preferences())


def _read_preferences() -> set[str]:
    """What ``Prefer`` says (RFC 7240)."""
    return {one.strip() for said in request.headers.getlist("Prefer") for one in re.split("[,;]", said)}


def _file(arrival: Arrival, read: Callable[[], Submission]) -> str:
    with _keeping(arrival):
        submission = read()
        with db.transaction() as session:
            return submitting.file_submission(session, current_actor(), submission)


@contextmanager
def _keeping(arrival: Arrival) -> Iterator[None]:
    """What can be read and cannot be filed is kept in quarantine, whole; the refusal says where."""
    try:
        yield
    except FhirInvalid as refusal:
        with db.transaction() as session:
            message_id = intake.quarantine(session, current_actor(), arrival, reason=refusal.code)
        refusal.members["message_id"] = str(message_id)
        raise


def _register(document: dict[str, Any], condition: str | None) -> tuple[dict[str, Any], bool]:
    """The person as his hospital may know him, and whether he is new."""
    actor, registrant = current_actor(), persons.read_patient(document, condition)
    # Nobody may find out by trying which name or phone belongs to a certificate.
    guessing = limits.counting_failures(
        "fhir_patients",
        f"{actor.id}/{registrant.trace()}",
        health_card.PersonDetailsDiffer,
        per_minute=GUESSES_PER_MINUTE,
    )
    with guessing, db.transaction() as session:
        return persons.register(session, actor, registrant)


def _answer_alone(entry: dict[str, Any], number: int) -> dict[str, Any]:
    """What became of one entry of a batch; its refusal undoes nothing of the others."""
    try:
        if (entry.get("request") or {}).get("method") == "GET":
            return {"response": {"status": "200 OK"}, "resource": _read_at(entry["request"]["url"])}
        if persons.is_registration(entry):
            return {"response": _register_alone(entry)}
        _check_may_file()
        arrival = submitting.arrive_alone(entry)
        filed = _file(arrival, partial(submitting.read_alone, entry, number, arrival))
        return {"response": json.loads(filed)["entry"][0]["response"]}
    except Refusal as refusal:
        base_url, request_id = current_config().base_url, observe.request_id()
        return {"response": answers.show_refused(refusal, base_url=base_url, request_id=request_id)}


def _register_alone(entry: dict[str, Any]) -> dict[str, Any]:
    if not current_actor().can("health_card:patient:register"):
        raise PermissionMissing
    shown, is_new = _register(entry["resource"], entry["request"].get("ifNoneExist"))
    return {"status": "201 Created" if is_new else "200 OK", "location": f"Patient/{shown['id']}"}


def _read_at(url: str) -> dict[str, Any]:
    with db.transaction() as session:
        return addressing.read_address(session, current_actor(), url, base_url=current_config().base_url)


def _check_may_file() -> None:
    if not current_actor().can(_FILING):
        raise PermissionMissing


def _file_single(resource_type: str, asked: dict[str, str]) -> Response:
    body = _read_body()
    document, arrival = reading.read_document(body), submitting.arrive_single(body, asked)
    filed = _file(arrival, partial(submitting.read_single, document, resource_type, asked, arrival))
    resource_id, version, is_new = submitting.read_filed(filed)
    location = f"{current_config().base_url}/fhir/{resource_type}/{resource_id}/_history/{version}"
    status, preferred = 201 if is_new and (asked["method"] == "POST" or version == 1) else 200, _read_preferences()
    if "return=minimal" in preferred:
        return answers.present_resource("", status, Location=location, ETag=f'W/"{version}"')
    if "return=OperationOutcome" in preferred:
        outcome = json.dumps(answers.describe_filed(resource_type, resource_id, version), ensure_ascii=False)
        return answers.present_resource(outcome, status, Location=location, ETag=f'W/"{version}"')
    with db.transaction() as session:
        shown = finding.show_filed(session, current_actor(), resource_type, resource_id, version)
    return answers.present_found(shown, status, Location=location)


def _present_page(found: finding.Found, path: str) -> Response:
    given = [*request.args.items(multi=True), *request.form.items(multi=True)]
    base_url = current_config().base_url
    return answers.present_found(addressing.compose_page(found, path, base_url=base_url, url=_address(), given=given))


def _address() -> str:
    query = request.query_string.decode("ascii", "replace")
    return f"{current_config().base_url}{request.path}" + (f"?{query}" if query else "")
