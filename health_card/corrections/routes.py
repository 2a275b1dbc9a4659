"""The machine interface of corrections: at a desk, and their history for the person himself."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from health_card.corrections.models import Reason
from health_card.corrections.schemas import (
    CertificateAdded,
    CertificatePath,
    CertificateRequest,
    ChangeList,
    ChangeShown,
    ChangesQuery,
    CorrectedShown,
    CorrectionRequest,
)
from health_card.corrections.service import certificates, details, history
from health_card.desk.schemas import LookUpPath

api = Api("corrections", tag="Desk: persons 窗口：居民", url_prefix="/api/v1")


@api.post("/desk/persons/<uuid:look_up_id>/corrections", responses={200: CorrectedShown})
@requires("health_card:person:correct")
def correct(path: LookUpPath, body: CorrectionRequest) -> Response:
    """Correct what is known of the person whose document was seen; what it was before is kept"""
    with db.transaction() as session:
        changed = details.correct_details(
            session,
            current_actor(),
            look_up_id=path.look_up_id,
            details=body.as_details(),
            reason=Reason(body.reason),
        )
    return present(CorrectedShown(changed=[field.value for field in changed]))


@api.post("/desk/persons/<uuid:look_up_id>/certificates", responses={201: CertificateAdded})
@requires("health_card:person:correct")
def record_certificate(path: LookUpPath, body: CertificateRequest) -> Response:
    """One more certificate, a renewed one, or the right one in the place of a mistake"""
    with db.transaction() as session:
        certificate_id = certificates.record_certificate(
            session,
            current_actor(),
            look_up_id=path.look_up_id,
            document=body.as_document(),
            replaces=body.replaces,
            reason=Reason(body.reason),
        )
    return present(CertificateAdded(certificate_id=certificate_id), 201)


@api.post("/desk/persons/<uuid:look_up_id>/certificates/<uuid:certificate_id>/withdraw", responses={204: None})
@requires("health_card:person:correct")
def withdraw_certificate(path: CertificatePath) -> Response:
    """A certificate was never this person's: it leads to nobody from now on"""
    with db.transaction() as session:
        certificates.withdraw_certificate(
            session, current_actor(), look_up_id=path.look_up_id, certificate_id=path.certificate_id
        )
    return Response(status=204)


@api.post("/desk/persons/<uuid:look_up_id>/certificates/<uuid:certificate_id>/make-primary", responses={204: None})
@requires("health_card:person:correct")
def make_certificate_primary(path: CertificatePath) -> Response:
    """Show this certificate first from now on"""
    with db.transaction() as session:
        certificates.make_primary(
            session, current_actor(), look_up_id=path.look_up_id, certificate_id=path.certificate_id
        )
    return Response(status=204)


@api.get("/desk/persons/<uuid:look_up_id>/changes", responses={200: ChangeList})
@requires("health_card:person:look_up")
def list_changes(path: LookUpPath, query: ChangesQuery) -> Response:
    """What was corrected of this person, masked, newest first"""
    with db.transaction() as session:
        rows = history.list_changes_at_desk(session, current_actor(), look_up_id=path.look_up_id, before=query.before)
    return present(ChangeList(changes=[ChangeShown.model_validate(row) for row in rows]))


@api.get("/persons/self/changes", responses={200: ChangeList})
@requires("health_card:change:read")
def list_my_changes(query: ChangesQuery) -> Response:
    """What desks corrected of me: what, why, by which document, at which hospital"""
    with db.transaction() as session:
        rows = history.list_own_changes(session, current_actor(), before=query.before)
    return present(ChangeList(changes=[ChangeShown.model_validate(row) for row in rows]))
