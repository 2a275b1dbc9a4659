"""Making share links, and looking after them."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.links import passcodes
from consent.links.models import MOST_TRIES, ShareLink, ShareOpening
from consent.links.refusals import ShareLinkAtItsEnd, ShareLinkEnded, ShareLinkNotFound
from consent.links.service.health_link import Addresses, write_addresses
from consent.links.service.looking import is_usable
from consent.models import Grant, OpenedBy, Purpose
from consent.scope import Recipient, Scope, scope_of
from consent.service.giving import check_may_give, check_shareable
from consent.service.grants import Origin, open_grant, revoke_grant
from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from core.vault import DataKey, vault
from health_card import service as health_card

STEP, LONGEST = timedelta(days=7), timedelta(days=90)
RECIPIENT, FILE_KEY = "share_links.recipient", "share_links.file_key"
# What the patient is shown before he makes a link; its hash stands in the grant (PIPL 17, 23).
NOTICE = (
    "任何得到此链接和口令的人，都能在有效期内查看您选中的健康档案。请把口令另行告知对方，不要与链接一起发送。"
    "仅查看的内容仍可能被对方截屏。您可以随时停止分享，停止后对方的下一次查看即被拒绝；每次打开都会记录并可供您查阅。"
)


@dataclass(frozen=True)
class Wish:
    """How a patient wants to share.

    ``recipient``: for whom, as he puts it. ``passcode``: None: one is made. ``openings``: how often it may be opened.
    """

    person_id: UUID
    recipient: str
    purpose: Purpose
    scope: Scope
    passcode: str | None
    days: int
    openings: int


@dataclass(frozen=True)
class LinkView:
    """A link as its owner sees it.

    ``person_name``: masked. ``status``: in_force, suspended (a card is reported lost, or who made it no longer decides
    for the person), locked (too many wrong passcodes), used_up, expired or revoked.
    """

    id: UUID
    grant_id: UUID
    person_id: UUID
    person_name: str
    recipient: str
    purpose: str
    scope: Scope
    status: str
    version: int
    tries_left: int
    openings: int
    openings_left: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class MadeLink:
    """What is told once: the address with its secret, and the passcode; of neither anything readable is kept."""

    link: LinkView
    addresses: Addresses
    passcode: str


def make_link(session: Session, actor: Actor, wish: Wish, *, base_url: str) -> MadeLink:
    """Share a part of a person's records with whoever holds the link and its passcode.

    :raises GrantPersonNotFound: not a person for whom the login decides.
    :raises ItemNotShareable: a chosen item or visit is not among what the login sees of this person.
    :raises PasscodeTooSimple, NothingToShare: as they say.
    """
    check_may_give(session, actor, person_id=wish.person_id)
    check_shareable(session, actor, person_id=wish.person_id, scope=wish.scope)
    link_id, now = new_id(), clock.now()
    passcode = _choose_passcode(wish.passcode)
    secret, secret_hash = accounts.new_secret()
    key, wrapped = vault().new_key()
    file_key = secrets.token_bytes(32)
    link = ShareLink(
        id=link_id,
        person_id=wish.person_id,
        made_by=actor.id,
        secret_hash=secret_hash,
        data_key=wrapped,
        recipient_sealed=key.seal(wish.recipient, context=RECIPIENT),
        file_key_sealed=key.seal_bytes(file_key, context=FILE_KEY),
        passcode_hash=passcodes.hash_passcode(link_id, passcode),
        tries=0,
        openings_left=wish.openings,
        created_at=now,
    )
    session.add(link)
    session.flush()
    grant = open_grant(
        session,
        actor,
        person_id=wish.person_id,
        recipient=Recipient(link_id=link_id),
        scope=wish.scope,
        purpose=wish.purpose,
        opened_by=OpenedBy.LINK,
        expires_at=now + timedelta(days=wish.days),
        origin=Origin(notice_hash=sha256(NOTICE.encode()).hexdigest()),
    )
    _record(session, actor, link, "made", basis=(grant.id, grant.version))
    handed_out = file_key if wish.scope.may_download else None
    addresses = write_addresses(base_url, secret=secret, file_key=handed_out, until=now + LONGEST)
    return MadeLink(_view(session, link, session.get_one(Grant, grant.id)), addresses, passcode)


def list_links(session: Session, actor: Actor) -> list[LinkView]:
    """The links of the persons for whom the login decides, newest first (at most 200)."""
    mine = select(ShareLink, Grant).join(Grant, Grant.link_id == ShareLink.id).where(_is_confided(actor))
    rows = session.execute(mine.order_by(ShareLink.created_at.desc(), ShareLink.id.desc()).limit(200))
    return [_view(session, link, grant) for link, grant in rows]


def get_link(session: Session, actor: Actor, link_id: UUID) -> LinkView:
    """:raises ShareLinkNotFound: not a link of a person for whom the login decides."""
    return _view(session, *_get_own(session, actor, link_id))


def change_passcode(session: Session, actor: Actor, link_id: UUID, *, passcode: str | None) -> tuple[LinkView, str]:
    """A new passcode, which is also how a locked link is unlocked; returns it, told this once.

    :param passcode: None: one is made.
    :raises ShareLinkNotFound, ShareLinkEnded, PasscodeTooSimple: as they say.
    """
    link, grant = _lock_living(session, actor, link_id)
    chosen = _choose_passcode(passcode)
    link.passcode_hash, link.tries = passcodes.hash_passcode(link.id, chosen), 0
    session.flush()
    _record(session, actor, link, "passcode_changed", basis=(grant.id, grant.version))
    return _view(session, link, grant), chosen


def extend_link(session: Session, actor: Actor, link_id: UUID) -> LinkView:
    """Seven days more, as a new version of its grant; at most until 90 days after it was made.

    :raises ShareLinkNotFound, ShareLinkEnded, ShareLinkAtItsEnd: as they say.
    """
    link, grant = _lock_living(session, actor, link_id)
    until = min(grant.expires_at + STEP, link.created_at + LONGEST)
    if until <= grant.expires_at:
        raise ShareLinkAtItsEnd
    grant.expires_at, grant.version = until, grant.version + 1
    session.flush()
    audit.record_act(
        session,
        actor,
        "consent.grant.extended",
        subject_id=link.person_id,
        of=("grant", grant.id),
        purpose=grant.purpose,
        basis=(grant.id, grant.version),
    )
    return _view(session, link, grant)


def revoke_link(session: Session, actor: Actor, link_id: UUID) -> LinkView:
    """End a link from the next request on; waits for what is being read under it. Again: changes nothing.

    :raises ShareLinkNotFound: not a link of a person for whom the login decides.
    """
    link, grant = _get_own(session, actor, link_id)
    revoke_grant(session, actor, grant_id=grant.id)
    session.refresh(grant)
    return _view(session, link, grant)


def _choose_passcode(passcode: str | None) -> str:
    if passcode is None:
        return passcodes.make_passcode()
    passcodes.check_passcode(passcode)
    return passcode


def _is_confided(actor: Actor) -> ColumnElement[bool]:
    return ShareLink.person_id.in_(health_card.confided_person_ids(actor))


def _get_own(session: Session, actor: Actor, link_id: UUID) -> tuple[ShareLink, Grant]:
    mine = select(ShareLink, Grant).join(Grant, Grant.link_id == ShareLink.id)
    found = session.execute(mine.where(ShareLink.id == link_id, _is_confided(actor))).one_or_none()
    if found is None:
        raise ShareLinkNotFound
    link, grant = found
    return link, grant


def _lock_living(session: Session, actor: Actor, link_id: UUID) -> tuple[ShareLink, Grant]:
    """Link and grant, locked in this order as an opening does, while the grant is neither revoked nor over."""
    mine = select(ShareLink).where(ShareLink.id == link_id, _is_confided(actor)).with_for_update()
    link = session.scalars(mine, execution_options={"populate_existing": True}).one_or_none()
    if link is None:
        raise ShareLinkNotFound
    its = select(Grant).where(Grant.link_id == link.id).with_for_update()
    grant = session.scalars(its, execution_options={"populate_existing": True}).one()
    if grant.revoked_at is not None or grant.expires_at <= clock.now():
        raise ShareLinkEnded
    return link, grant


def _record(session: Session, actor: Actor, link: ShareLink, done: str, *, basis: tuple[UUID, int]) -> None:
    audit.record_act(
        session,
        actor,
        f"consent.share_link.{done}",
        subject_id=link.person_id,
        of=("share_link", link.id),
        basis=basis,
    )


def key_of(link: ShareLink) -> DataKey:
    """The key of what is sealed in a link and its openings."""
    return vault().unwrap(link.data_key)


def _view(session: Session, link: ShareLink, grant: Grant) -> LinkView:
    openings = session.scalar(select(func.count()).where(ShareOpening.link_id == link.id)) or 0
    return LinkView(
        id=link.id,
        grant_id=grant.id,
        person_id=link.person_id,
        person_name=health_card.get_demographics(session, link.person_id).name,
        recipient=key_of(link).unseal(link.recipient_sealed, context=RECIPIENT),
        purpose=grant.purpose,
        scope=scope_of(grant),
        status=_status(session, link, grant),
        version=grant.version,
        tries_left=MOST_TRIES - link.tries,
        openings=openings,
        openings_left=link.openings_left,
        created_at=link.created_at,
        expires_at=grant.expires_at,
        revoked_at=grant.revoked_at,
    )


def _status(session: Session, link: ShareLink, grant: Grant) -> str:
    if grant.revoked_at is not None:
        return "revoked"
    if grant.expires_at <= clock.now():
        return "expired"
    if not is_usable(session, link_id=link.id, made_by=link.made_by):
        return "suspended"
    if link.tries >= MOST_TRIES:
        return "locked"
    return "in_force" if link.openings_left else "used_up"
