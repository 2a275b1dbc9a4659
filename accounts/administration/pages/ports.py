"""The hospitals' ports, for HL7 v2 messages and for images, and the certificates that are trusted at them."""

import re
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for
from sqlalchemy.orm import Session

from accounts.administration.ports.dicom.schemas import DicomPortChosen
from accounts.administration.schemas import MllpPortChosen
from accounts.refusals import CertificateUnreadable
from accounts.service import hospitals, ports
from accounts.service.dicom_ports import list_dicom_files, open_dicom_port
from accounts.service.mllp_ports import list_mllp_files, open_mllp_port
from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("port_pages", __name__, url_prefix="/operator/<any(mllp, dicom):kind>")

TEMPLATE = "accounts/operator_ports.html"
# Far more than any certificate; a whole chain or a key file is not what is asked for.
_LARGEST_CERTIFICATE = 16_384
_KINDS = {"mllp": ports.MESSAGES, "dicom": ports.IMAGES}


@pages.get("")
@requires("accounts:overview:read")
def show_ports(kind: str) -> Response:
    """Every port with its certificates, and what the visitor may do with them."""
    return show_page(TEMPLATE, **_list(kind))


@pages.post("")
@requires("accounts:hospital:manage")
def open_port(kind: str) -> Response:
    """Give a hospital a port, or another one."""
    return _change(kind, _open_for_messages if kind == "mllp" else _open_for_images)


@pages.post("/<uuid:hospital_id>/close")
@requires("accounts:hospital:manage")
def close_port(kind: str, hospital_id: UUID) -> Response:
    """Listen at it no more."""
    return _change(
        kind, lambda session: ports.close_port(session, current_actor(), _KINDS[kind], hospital_id=hospital_id)
    )


@pages.post("/<uuid:hospital_id>/certificates")
@requires("accounts:client:manage")
def trust_certificate(kind: str, hospital_id: UUID) -> Response:
    """Trust a certificate that was sent as a file."""

    def act(session: Session) -> None:
        sent = request.files.get("certificate")
        written = sent.read(_LARGEST_CERTIFICATE + 1) if sent else b""
        if not 0 < len(written) <= _LARGEST_CERTIFICATE:
            raise CertificateUnreadable
        ports.trust_certificate(session, current_actor(), _KINDS[kind], hospital_id=hospital_id, certificate=written)

    return _change(kind, act)


@pages.post("/<uuid:hospital_id>/certificates/<fingerprint>/remove")
@requires("accounts:client:manage")
def distrust_certificate(kind: str, hospital_id: UUID, fingerprint: str) -> Response:
    """Trust it no more."""
    return _change(
        kind,
        lambda session: ports.distrust_certificate(
            session, current_actor(), _KINDS[kind], hospital_id=hospital_id, fingerprint=fingerprint
        ),
    )


def _open_for_messages(session: Session) -> None:
    body = read_form(MllpPortChosen)
    hospital_id = hospitals.find_hospital_id(session, body.hospital_code)
    open_mllp_port(session, current_actor(), hospital_id=hospital_id, port=body.port)


def _open_for_images(session: Session) -> None:
    titles = re.split("[,，]", request.form.get("calling_ae_titles", ""))
    body = read_form(DicomPortChosen, calling_ae_titles=[title.strip() for title in titles if title.strip()])
    hospital_id = hospitals.find_hospital_id(session, body.hospital_code)
    open_dicom_port(session, current_actor(), hospital_id=hospital_id, port=body.to_port())


def _change(kind: str, act: Callable[[Session], None]) -> Response:
    try:
        with db.transaction() as session:
            act(session)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, form=request.form, **_list(kind))
    return cast(Response, redirect(url_for("port_pages.show_ports", kind=kind), 303))


def _list(kind: str) -> dict[str, Any]:
    with db.snapshot() as session:
        found = list_mllp_files(session) if kind == "mllp" else list_dicom_files(session)
        return {"kind": kind, "ports": found}
