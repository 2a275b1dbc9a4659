"""The hospitals' ports for images and the certificates that are trusted at them."""

import re
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for
from sqlalchemy.orm import Session

from accounts.administration.ports.dicom.schemas import DicomPortChosen
from accounts.refusals import CertificateUnreadable
from accounts.service import dicom_ports as ports
from accounts.service import hospitals
from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("dicom_pages", __name__, url_prefix="/operator/dicom")

TEMPLATE = "accounts/operator_dicom.html"
# Far more than any certificate; a whole chain or a key file is not what is asked for.
_LARGEST_CERTIFICATE = 16_384


@pages.get("")
@requires("accounts:overview:read")
def show_ports() -> Response:
    """Every port with its certificates, and what the visitor may do with them."""
    return show_page(TEMPLATE, **_list())


@pages.post("")
@requires("accounts:hospital:manage")
def open_port() -> Response:
    """Give a hospital a port, or another one."""

    def act(session: Session) -> None:
        titles = re.split("[,，]", request.form.get("calling_ae_titles", ""))
        body = read_form(DicomPortChosen, calling_ae_titles=[title.strip() for title in titles if title.strip()])
        hospital_id = hospitals.find_hospital_id(session, body.hospital_code)
        ports.open_dicom_port(session, current_actor(), hospital_id=hospital_id, port=body.to_port())

    return _change(act)


@pages.post("/<uuid:hospital_id>/close")
@requires("accounts:hospital:manage")
def close_port(hospital_id: UUID) -> Response:
    """Listen at it no more."""
    return _change(lambda session: ports.close_dicom_port(session, current_actor(), hospital_id=hospital_id))


@pages.post("/<uuid:hospital_id>/certificates")
@requires("accounts:client:manage")
def trust_certificate(hospital_id: UUID) -> Response:
    """Trust a certificate that was sent as a file."""

    def act(session: Session) -> None:
        sent = request.files.get("certificate")
        written = sent.read(_LARGEST_CERTIFICATE + 1) if sent else b""
        if not 0 < len(written) <= _LARGEST_CERTIFICATE:
            raise CertificateUnreadable
        ports.trust_dicom_certificate(session, current_actor(), hospital_id=hospital_id, certificate=written)

    return _change(act)


@pages.post("/<uuid:hospital_id>/certificates/<fingerprint>/remove")
@requires("accounts:client:manage")
def distrust_certificate(hospital_id: UUID, fingerprint: str) -> Response:
    """Trust it no more."""
    return _change(
        lambda session: ports.distrust_dicom_certificate(
            session, current_actor(), hospital_id=hospital_id, fingerprint=fingerprint
        )
    )


def _change(act: Callable[[Session], None]) -> Response:
    try:
        with db.transaction() as session:
            act(session)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, form=request.form, **_list())
    return cast(Response, redirect(url_for("dicom_pages.show_ports"), 303))


def _list() -> dict[str, Any]:
    with db.snapshot() as session:
        return {"ports": ports.list_dicom_files(session)}
