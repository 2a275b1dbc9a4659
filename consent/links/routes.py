"""The machine interface of share links, for the patient's phone."""

from flask import Response

from consent.links import service
from consent.links.schemas import (
    ShareLinkList,
    ShareLinkMade,
    ShareLinkPath,
    ShareLinkShown,
    SharePasscode,
    SharePasscodeShown,
    ShareViewers,
    ShareWish,
)
from core import db, limits
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card import service as health_card

api = Api("consent_links", tag="Consent 授权", url_prefix="/api/v1/share-links")

MADE_PER_MINUTE = 10


@api.post("", responses={201: ShareLinkMade})
@requires("consent:share_link:make")
def make_link(body: ShareWish) -> Response:
    """Share a part of a person's records by a link, with whoever holds it and its passcode"""
    actor = current_actor()
    limits.count("share_link", str(actor.id), per_minute=MADE_PER_MINUTE)
    with db.transaction() as session:
        made = service.make_link(session, actor, body.as_wish(), base_url=current_config().base_url)
    return present(ShareLinkMade.of(made, health_card.draw_png(made.addresses.for_picture)), 201)


@api.get("", responses={200: ShareLinkList})
@requires("consent:share_link:read")
def list_links() -> Response:
    """My links, and those of whom I decide for: what each shares, until when, how often it was opened"""
    with db.snapshot() as session:
        links = service.list_links(session, current_actor())
    return present(ShareLinkList(notice=service.NOTICE, links=[ShareLinkShown.of(link) for link in links]))


@api.get("/<uuid:link_id>", responses={200: ShareLinkShown})
@requires("consent:share_link:read")
def show_link(path: ShareLinkPath) -> Response:
    """One link"""
    with db.snapshot() as session:
        link = service.get_link(session, current_actor(), path.link_id)
    return present(ShareLinkShown.of(link))


@api.get("/<uuid:link_id>/viewers", responses={200: ShareViewers})
@requires("consent:share_link:read")
def list_viewers(path: ShareLinkPath) -> Response:
    """Who opened a link and when, and what was looked at"""
    with db.snapshot() as session:
        viewers = service.list_viewers(session, current_actor(), path.link_id)
    return present(ShareViewers.of(viewers))


@api.put("/<uuid:link_id>/passcode", responses={200: SharePasscodeShown})
@requires("consent:share_link:change")
def change_passcode(path: ShareLinkPath, body: SharePasscode) -> Response:
    """A new passcode, from the next opening on; it also unlocks a link at which too many wrong ones were tried"""
    with db.transaction() as session:
        link, passcode = service.change_passcode(session, current_actor(), path.link_id, passcode=body.passcode)
    return present(SharePasscodeShown(passcode=passcode, link=ShareLinkShown.of(link)))


@api.post("/<uuid:link_id>/extension", responses={200: ShareLinkShown})
@requires("consent:share_link:change")
def extend_link(path: ShareLinkPath) -> Response:
    """Seven days more, at most until 90 days after it was made"""
    with db.transaction() as session:
        link = service.extend_link(session, current_actor(), path.link_id)
    return present(ShareLinkShown.of(link))


@api.post("/<uuid:link_id>/revoke", responses={200: ShareLinkShown})
@requires("consent:share_link:revoke")
def revoke_link(path: ShareLinkPath) -> Response:
    """End a link: the next request under it is refused"""
    with db.transaction() as session:
        link = service.revoke_link(session, current_actor(), path.link_id)
    return present(ShareLinkShown.of(link))
