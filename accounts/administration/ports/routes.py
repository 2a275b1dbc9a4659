"""The machine interface of the hospitals' HL7 v2 ports: the operator opens them, the security administrator says
which certificates are trusted at them."""

from flask import Response

from accounts.administration.schemas import (
    HospitalPath,
    MllpPortReceived,
    MllpPorts,
    MllpPortShown,
    PortCertificatePath,
    PortCertificateReceived,
)
from accounts.service import ports
from accounts.service.mllp_ports import list_mllp_files, open_mllp_port
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("mllp_ports", tag="Administration 平台管理", url_prefix="/api/v1/operator")


@api.get("/mllp-ports", responses={200: MllpPorts})
@requires("accounts:overview:read")
def list_ports() -> Response:
    """Every hospital's port for HL7 v2, and the certificates that are trusted at it"""
    with db.snapshot() as session:
        found = [MllpPortShown.model_validate(each) for each in list_mllp_files(session)]
    return present(MllpPorts(ports=found))


@api.put("/hospitals/<uuid:hospital_id>/mllp-port", responses={204: None})
@requires("accounts:hospital:manage")
def open_port(path: HospitalPath, body: MllpPortReceived) -> Response:
    """Give a hospital a port of its own, or another one; the listener opens it within seconds"""
    with db.transaction() as session:
        open_mllp_port(session, current_actor(), hospital_id=path.hospital_id, port=body.port)
    return Response(status=204)


@api.post("/hospitals/<uuid:hospital_id>/mllp-port/close", responses={204: None})
@requires("accounts:hospital:manage")
def close_port(path: HospitalPath) -> Response:
    """Listen at it no more"""
    with db.transaction() as session:
        ports.close_port(session, current_actor(), ports.MESSAGES, hospital_id=path.hospital_id)
    return Response(status=204)


@api.post("/hospitals/<uuid:hospital_id>/mllp-certificates", responses={204: None})
@requires("accounts:client:manage")
def trust_certificate(path: HospitalPath, body: PortCertificateReceived) -> Response:
    """Trust a certificate: from now on the port speaks TLS only"""
    with db.transaction() as session:
        ports.trust_certificate(
            session,
            current_actor(),
            ports.MESSAGES,
            hospital_id=path.hospital_id,
            certificate=body.certificate.encode(),
        )
    return Response(status=204)


@api.delete("/hospitals/<uuid:hospital_id>/mllp-certificates/<fingerprint>", responses={204: None})
@requires("accounts:client:manage")
def distrust_certificate(path: PortCertificatePath) -> Response:
    """Trust it no more"""
    with db.transaction() as session:
        ports.distrust_certificate(
            session, current_actor(), ports.MESSAGES, hospital_id=path.hospital_id, fingerprint=path.fingerprint
        )
    return Response(status=204)
