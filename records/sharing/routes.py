"""The machine interface of share links for those who hold one: opening, pictures, copies, SMART Health Links."""

from flask import Response, request, url_for

from accounts import service as accounts
from consent.links import service as links
from core import db, limits
from core.api import Api
from core.web import current_actor, current_config, present, public, requires
from records.dicomweb import media
from records.documents.routes import send_report
from records.entries.papers import ENDINGS, NO_TYPE
from records.entries.routes import send_document
from records.reports.incoming import ATTACHMENT_ENDINGS
from records.reports.routes import send_attachment
from records.reports.schemas import ReportPath
from records.sharing import identify, service
from records.sharing.encrypting import FHIR_JSON
from records.sharing.schemas import (
    HealthLinkFilePath,
    HealthLinkManifest,
    HealthLinkPath,
    ManifestFile,
    ManifestRequest,
    SharedAttachmentPath,
    SharedDocumentPath,
    ShareDoor,
    ShareKnock,
    describe_device,
)
from records.viewing import service as viewing
from records.viewing.routes import send_copy, send_picture
from records.viewing.schemas import PicturePath, ViewPath

api = Api("sharing", tag="Records 健康档案")

KNOCKS_PER_MINUTE = 30
_PDF, _ZIP, _JOSE = "application/pdf", "application/zip", "application/jose"


@api.post("/share/openings", responses={201: ShareDoor})
@public("the link's secret and its passcode say who asks")
def open_link(body: ShareKnock) -> Response:
    """Open a link: its page is then shown to this browser for a quarter of an hour"""
    _count(body.secret)
    knock = links.Knock(body.secret, body.passcode, body.viewer, describe_device(request.user_agent.string))
    with db.transaction() as session:
        opened = links.open_link(session, knock, way=links.Way.PAGE)
    reply = present(ShareDoor(address=url_for("sharing_pages.show_records"), expires_at=opened.expires_at), 201)
    return identify.remember(reply, opened.token or "")


@api.get("/share/studies/<uuid:study_id>/standing", responses={204: None})
@requires("records:shared_page:read")
def check_standing(path: ViewPath) -> Response:
    """May what the browser holds of this study still be shown? Asked while somebody looks"""
    with db.snapshot() as session:
        viewing.check_standing(session, current_actor(), study_id=path.study_id)
    return Response(status=204, headers={"Cache-Control": "no-store"})


@api.get(
    "/share/studies/<uuid:study_id>/series/<string:series>/instances/<string:instance>/frames/<int:frame>/rendered",
    openapi_extensions={"x-also-produces": [media.JPEG]},
)
@requires("records:shared_page:read")
def show_picture(path: PicturePath) -> Response:
    """One frame as JPEG, for the page of this study"""
    return send_picture(path)


@api.get("/share/studies/<uuid:study_id>/jpeg.zip", openapi_extensions={"x-also-produces": [_ZIP]})
@requires("records:shared_page:take")
def copy_pictures(path: ViewPath) -> Response:
    """The study as marked JPEG pictures that name nobody, when the link lets copies be taken"""
    return send_copy(path.study_id, "jpeg", "shared")


@api.get("/share/studies/<uuid:study_id>/dicom.zip", openapi_extensions={"x-also-produces": [_ZIP]})
@requires("records:shared_page:take")
def copy_originals(path: ViewPath) -> Response:
    """The study as DICOM files that name nobody, when the link lets copies be taken"""
    return send_copy(path.study_id, "dicom", "shared")


@api.get("/share/reports/<uuid:report_id>/report.pdf", openapi_extensions={"x-also-produces": [_PDF]})
@requires("records:shared_page:take")
def print_report(path: ReportPath) -> Response:
    """One report as PDF, when the link lets copies be taken"""
    return send_report(path.report_id)


@api.get(
    "/share/reports/<uuid:report_id>/attachments/<int:number>",
    openapi_extensions={"x-also-produces": list(ATTACHMENT_ENDINGS)},
)
@requires("records:shared_page:take")
def read_attachment(path: SharedAttachmentPath) -> Response:
    """A document that came inside a report, when the link lets copies be taken"""
    return send_attachment(path.report_id, path.number, None)


@api.get(
    "/share/entries/<uuid:entry_id>/documents/<int:number>",
    openapi_extensions={"x-also-produces": [*ENDINGS, NO_TYPE]},
)
@requires("records:shared_page:take")
def read_document(path: SharedDocumentPath) -> Response:
    """A document that came inside an entry, when the link lets copies be taken"""
    return send_document(path.entry_id, path.number)


@api.post("/shl/<string:secret>", responses={200: HealthLinkManifest})
@public("the link's secret and its passcode say who asks (SMART Health Links)")
def read_manifest(path: HealthLinkPath, body: ManifestRequest) -> Response:
    """The manifest of a SMART Health Link: one encrypted patient summary of what is shared"""
    _count(path.secret)
    base_url = current_config().base_url
    device = describe_device(request.user_agent.string)
    knock = links.Knock(path.secret, body.passcode, body.recipient, device)
    with db.transaction() as session:
        opened = links.open_link(session, knock, way=links.Way.HEALTH_LINK)
        manifest = service.read_manifest(session, opened, base_url=base_url, embed_up_to=body.embedded_length_max)
    file = ManifestFile(
        content_type=FHIR_JSON,
        last_updated=manifest.made_at.isoformat(timespec="seconds"),
        embedded=manifest.embedded,
        location=f"{base_url}/shl/files/{manifest.promise}" if manifest.promise else None,
    )
    return present(HealthLinkManifest(status="can-change", files=[file]))


@api.get("/shl/files/<string:token>", openapi_extensions={"x-also-produces": [_JOSE]})
@public("the secret in the address was handed out minutes ago, and works once (SMART Health Links)")
def fetch_file(path: HealthLinkFilePath) -> Response:
    """A file of a manifest, encrypted with the key of the link; once"""
    with db.transaction() as session:
        written = service.read_file(session, token=path.token, base_url=current_config().base_url)
    return Response(written, mimetype=_JOSE, headers={"Cache-Control": "no-store"})


def _count(secret: str) -> None:
    """:raises RateExceeded: a link that is knocked at so often would keep its owner's database busy with hashing."""
    limits.count("share_knock", accounts.hash_secret(secret).hex(), per_minute=KNOCKS_PER_MINUTE)
