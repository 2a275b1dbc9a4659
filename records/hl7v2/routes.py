"""HL7 v2 by HTTPS: the same messages, the same acknowledgements, for systems that have no MLLP."""

from flask import Response, request

from core.api import Api
from core.web import current_actor, requires
from records.hl7v2 import jobs
from records.hl7v2.refusals import Hl7MediaTypeUnsupported

MEDIA_TYPE = "application/hl7-v2"

api = Api("hl7v2", tag="Hospital systems 系统接入", url_prefix="/api/v1")


@api.post("/hl7v2/messages", responses={204: None}, openapi_extensions={"x-also-produces": [MEDIA_TYPE]})
@requires("records:report:submit")
def receive_message() -> Response:
    """One HL7 v2 message or batch (application/hl7-v2), answered by its acknowledgement once it is filed or kept

    The status is 200 for AE and AR too: look at MSA-1. 204: the message asked for no acknowledgement."""
    if request.mimetype not in {MEDIA_TYPE, "x-application/hl7-v2+er7"}:
        raise Hl7MediaTypeUnsupported
    actor = current_actor()
    (answers,) = jobs.receive(lambda _session: actor, [request.get_data()])
    # One answer to one request: of two that were asked for, the second says all that the first says, and more.
    return Response(answers[-1], mimetype=MEDIA_TYPE) if answers else Response(status=204)
