"""The machine interface of the hospitals' ports for images: the operator opens them, the security administrator says
which certificates are trusted at them."""

from flask import Response

from accounts.administration.ports.dicom.schemas import DicomPortReceived, DicomPorts, DicomPortShown
from accounts.administration.schemas import HospitalPath, PortCertificatePath, PortCertificateReceived
from accounts.service import ports
from accounts.service.dicom_ports import list_dicom_files, open_dicom_port
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("dicom_ports", tag="Administration 平台管理", url_prefix="/api/v1/operator")


@api.get("/dicom-ports", responses={200: DicomPorts})
@requires("accounts:overview:read")
def list_ports() -> Response:
    """Every hospital's port for images, and the certificates that are trusted at it"""
    with db.snapshot() as session:
        found = [DicomPortShown.model_validate(each) for each in list_dicom_files(session)]
    return present(DicomPorts(ports=found))


@api.put("/hospitals/<uuid:hospital_id>/dicom-port", responses={204: None})
@requires("accounts:hospital:manage")
def open_port(path: HospitalPath, body: DicomPortReceived) -> Response:
    """Give a hospital a port of its own, or another one; the listener opens it within seconds"""
    with db.transaction() as session:
        open_dicom_port(session, current_actor(), hospital_id=path.hospital_id, port=body.to_port())
    return Response(status=204)


@api.post("/hospitals/<uuid:hospital_id>/dicom-port/close", responses={204: None})
@requires("accounts:hospital:manage")
def close_port(path: HospitalPath) -> Response:
    """Listen at it no more"""
    with db.transaction() as session:
        ports.close_port(session, current_actor(), ports.IMAGES, hospital_id=path.hospital_id)
    return Response(status=204)


@api.post("/hospitals/<uuid:hospital_id>/dicom-certificates", responses={204: None})
@requires("accounts:client:manage")
def trust_certificate(path: HospitalPath, body: PortCertificateReceived) -> Response:
    """Trust a certificate: from now on the port speaks TLS only"""
    with db.transaction() as session:
        certificate = body.certificate.encode()
        ports.trust_certificate(
            session, current_actor(), ports.IMAGES, hospital_id=path.hospital_id, certificate=certificate
        )
    return Response(status=204)


@api.delete("/hospitals/<uuid:hospital_id>/dicom-certificates/<fingerprint>", responses={204: None})
@requires("accounts:client:manage")
def distrust_certificate(path: PortCertificatePath) -> Response:
    """Trust it no more"""
    with db.transaction() as session:
        ports.distrust_certificate(
            session, current_actor(), ports.IMAGES, hospital_id=path.hospital_id, fingerprint=path.fingerprint
        )
    return Response(status=204)
