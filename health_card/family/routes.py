"""The machine interface of the family: for phones, and for desks that check who may act for whom."""

from flask import Response

from core import db, limits
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card.family import service
from health_card.family.models import InvitationKind
from health_card.family.schemas import (
    AcceptedShown,
    ActingForMeShown,
    Confirmation,
    DeskHolderList,
    DeskHolderShown,
    FamilyShown,
    HandOver,
    HolderPath,
    InvitationCode,
    InvitationPath,
    InvitationRequest,
    InvitationShown,
    InvitedShown,
    MemberShown,
    NewbornApplication,
    OpenInvitationList,
    OpenInvitationShown,
    OwnCertificate,
    Refused,
    Relative,
    VisitorNamed,
)
from health_card.refusals import PersonDetailsDiffer
from health_card.routes import GUESSES_PER_MINUTE

api = Api("family", tag="Family 家庭", url_prefix="/api/v1")

LOOK_UPS_PER_MINUTE = 20


@api.get("/family", responses={200: FamilyShown})
@requires("health_card:family:read")
def list_family() -> Response:
    """Whom this login acts for, and who acts for its own person"""
    with db.snapshot() as session:
        family = service.list_family(session, current_actor())
    return present(
        FamilyShown(
            members=[MemberShown.of(member) for member in family.members],
            acting_for_me=[ActingForMeShown.of(acting) for acting in family.acting_for_me],
            limit=current_config().family_limit,
        )
    )


@api.post("/family", responses={200: MemberShown, 201: MemberShown})
@requires("health_card:family:change")
def add_relative(body: Relative) -> Response:
    """Add a relative with a certificate

    A child under 14 that nobody registered before can be used at once; everybody else waits for a desk."""
    actor = current_actor()
    # Nobody may find out a person's name or phone by trying.
    guessing = limits.counting_failures(
        "registration_details", str(actor.id), PersonDetailsDiffer, per_minute=GUESSES_PER_MINUTE
    )
    with guessing, db.transaction() as session:
        member, is_added = service.add_relative(
            session,
            actor,
            details=body.details_with(body.phone),
            relation=body.relation,
            limit=current_config().family_limit,
        )
    return present(MemberShown.of(member), 201 if is_added else 200)


@api.post("/family/newborns", responses={200: MemberShown, 201: MemberShown})
@requires("health_card:family:change")
def register_newborn(body: NewbornApplication) -> Response:
    """Register a newborn that has no number yet; the same mother, date and order again: the same child"""
    with db.transaction() as session:
        member, is_added = service.register_newborn(
            session,
            current_actor(),
            newborn=body.as_details(),
            relation=body.relation,
            limit=current_config().family_limit,
        )
    return present(MemberShown.of(member), 201 if is_added else 200)


@api.delete("/family/<uuid:holder_id>", responses={204: None})
@requires("health_card:family:change")
def leave(path: HolderPath) -> Response:
    """Stop acting for a relative, or let a relative no longer act for me"""
    with db.transaction() as session:
        service.leave(session, current_actor(), holder_id=path.holder_id)
    return Response(status=204)


@api.post("/family/<uuid:holder_id>/hand-over", responses={201: InvitedShown})
@requires("health_card:family:change")
def hand_over(path: HolderPath, body: HandOver) -> Response:
    """Invite another login to take a child under 14 over; it takes effect when a desk has seen the proof"""
    with db.transaction() as session:
        invited = service.invite(
            session,
            current_actor(),
            kind=InvitationKind.HAND_OVER,
            relation=body.relation,
            holder_id=path.holder_id,
        )
    return present(InvitedShown.model_validate(invited), 201)


@api.post("/family/invitations", responses={201: InvitedShown})
@requires("health_card:family:change")
def invite(body: InvitationRequest) -> Response:
    """Invite somebody to let this login act for him, or to be a child's second guardian; good once, for 24 hours"""
    with db.transaction() as session:
        invited = service.invite(session, current_actor(), **dict(body))
    return present(InvitedShown.model_validate(invited), 201)


@api.get("/family/invitations", responses={200: OpenInvitationList})
@requires("health_card:family:read")
def list_invitations() -> Response:
    """What this login has asked others and nobody has accepted yet, newest first"""
    with db.snapshot() as session:
        waiting = service.list_invitations(session, current_actor())
    return present(OpenInvitationList(invitations=[OpenInvitationShown.model_validate(each) for each in waiting]))


@api.delete("/family/invitations/<uuid:invitation_id>", responses={204: None})
@requires("health_card:family:change")
def withdraw_invitation(path: InvitationPath) -> Response:
    """Take back an invitation that nobody has accepted yet"""
    with db.transaction() as session:
        service.withdraw_invitation(session, current_actor(), invitation_id=path.invitation_id)
    return Response(status=204)


@api.post("/family/invitations/preview", responses={200: InvitationShown})
@requires("health_card:family:read")
def show_invitation(body: InvitationCode) -> Response:
    """Who asks for what, before one accepts"""
    with db.transaction() as session:
        shown = service.show_invitation(session, current_actor(), code=body.code)
    return present(InvitationShown.model_validate(shown))


@api.post("/family/invitations/accept", responses={200: AcceptedShown})
@requires("health_card:family:change")
def accept_invitation(body: InvitationCode) -> Response:
    """Accept an invitation with this login's own person"""
    with db.transaction() as session:
        done = service.accept_invitation(session, current_actor(), code=body.code, limit=current_config().family_limit)
    return present(AcceptedShown.of(done))


@api.post("/desk/holders/look-up", responses={200: DeskHolderList})
@requires("health_card:holder:check")
def list_holders(body: VisitorNamed) -> Response:
    """Who acts, or waits to, for the person of this document and for those whom that person acts for"""
    actor = current_actor()
    limits.count("holder_look_ups", str(actor.id), per_minute=LOOK_UPS_PER_MINUTE)
    with db.transaction() as session:
        holders = service.list_holders_at_desk(session, actor, visitor=body.as_visitor())
    return present(DeskHolderList(holders=[DeskHolderShown.of(holder) for holder in holders]))


@api.post("/desk/holders/<uuid:holder_id>/confirm", responses={200: DeskHolderShown})
@requires("health_card:holder:check")
def confirm_holder(path: HolderPath, body: Confirmation) -> Response:
    """Confirm on proof that a login may act for a person"""
    with db.transaction() as session:
        holder = service.confirm_holder(
            session,
            current_actor(),
            visitor=body.as_visitor(),
            holder_id=path.holder_id,
            proof=body.proof,
            person_was_present=body.person_was_present,
        )
    return present(DeskHolderShown.of(holder))


@api.post("/desk/holders/<uuid:holder_id>/refuse", responses={204: None})
@requires("health_card:holder:check")
def refuse_holder(path: HolderPath, body: Refused) -> Response:
    """Refuse a login that waits, or end one that acts without proof"""
    with db.transaction() as session:
        service.refuse_holder(
            session, current_actor(), visitor=body.as_visitor(), holder_id=path.holder_id, reason=body.reason
        )
    return Response(status=204)


@api.post("/desk/holders/<uuid:holder_id>/certificate", responses={204: None})
@requires("health_card:holder:check")
def give_certificate(path: HolderPath, body: OwnCertificate) -> Response:
    """Give a newborn its own number: the same person, the same card"""
    with db.transaction() as session:
        service.give_certificate(
            session,
            current_actor(),
            visitor=body.as_visitor(),
            holder_id=path.holder_id,
            certificate=body.as_certificate(),
            name=body.child_name,
        )
    return Response(status=204)
