"""The FHIR R4 interface."""

import json

from flask import Response, request

from core import db
from core.api import Api
from core.web import current_actor, current_config, public, requires
from records.fhir import answers, reading, translation
from records.fhir.refusals import FhirInteractionUnsupported
from records.intake.service import Arrival
from records.reports import service as reports

api = Api("fhir", tag="Hospital systems 系统接入", url_prefix="/fhir", present_problem=answers.present_problem)


@api.post("", responses={200: None})
@requires("records:report:submit")
def submit_transaction() -> Response:
    """A hospital system sends reports: a transaction Bundle of DiagnosticReports and Observations"""
    reading.check_media_type(request.mimetype, request.mimetype_params.get("charset"))
    body = request.get_data()
    bundle = reading.read_transaction(body)
    translated = translation.translate(bundle)
    arrival = Arrival("fhir", body, "application/fhir+json", translation.read_message_key(bundle))
    with db.transaction() as session:
        reply = reports.file_reports(
            session,
            current_actor(),
            incoming=translated.incoming,
            arrival=arrival,
            answer=lambda filed: answers.compose_response(translated.places, filed),
        )
    return answers.present_resource(reply)


@api.get("/metadata", responses={200: None})
@public("a client reads what the server can do before it signs in (FHIR R4, section 3.1.0.9)")
def read_metadata() -> Response:
    """The CapabilityStatement of this server"""
    statement = answers.describe_server(current_config().base_url)
    return answers.present_resource(json.dumps(statement, ensure_ascii=False))


@api.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@public("answers the same to everybody: there is nothing here")
def refuse_interaction(**_rest: str) -> Response:
    """Whatever else FHIR knows"""
    raise FhirInteractionUnsupported
