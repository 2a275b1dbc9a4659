"""Opening a link: the passcode is counted before it is compared, and every opening is written down."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.links import passcodes
from consent.links.models import MOST_TRIES, ShareFile, ShareLink, ShareOpening
from consent.links.refusals import ShareLinkClosed, ShareOpeningEnded, SharePasscodeWrong
from consent.links.service.looking import LinkGrant, find_usable_grant
from consent.links.service.making import FILE_KEY, RECIPIENT, key_of
from core import audit, clock
from core.actor import SYSTEM, Actor, ActorKind
from core.ids import new_id
from health_card import service as health_card

PAGE_LIFE, FILE_LIFE = timedelta(minutes=15), timedelta(minutes=10)
VIEWER = "share_openings.viewer"


class Way(StrEnum):
    """Our own page, or another program (SMART Health Link), which is given files to keep."""

    PAGE = "page"
    HEALTH_LINK = "health_link"

    def may_open(self, grant: LinkGrant) -> bool:
        """Whether the grant lets a link be opened in this way."""
        return self is Way.PAGE or grant.may_download


@dataclass(frozen=True)
class Knock:
    """What somebody sends who has an address: its secret, the passcode, who he says he is, and on what device."""

    secret: str
    passcode: str
    viewer: str
    device: str


@dataclass(frozen=True)
class Opened:
    """An opening. ``token``: what a page's browser shows from now on. ``file_key``: for files of other programs."""

    id: UUID
    actor: Actor
    person_id: UUID
    token: str | None
    file_key: bytes
    expires_at: datetime


@dataclass(frozen=True)
class SharedBy:
    """What an opened link shows: whose records, for whom it was made, by which right and until when."""

    person_id: UUID
    recipient: str
    viewer: str
    grant: LinkGrant
    opened_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class FileRight:
    """Somebody may have one file made now, encrypted with this key."""

    actor: Actor
    person_id: UUID
    file_key: bytes


def open_link(session: Session, knock: Knock, *, way: Way) -> Opened:
    """Whoever has the address and the passcode is let in, for minutes.

    A try is counted before it is compared, and given back when it was right: however many come at once, no more than
    ``MOST_TRIES`` wrong ones are ever compared.

    :raises ShareLinkClosed: one answer, after one time, for whatever cannot be opened.
    :raises SharePasscodeWrong: counted.
    """
    link = _take_try(session, knock.secret)
    grant = find_usable_grant(session, link_id=link.id, made_by=link.made_by) if link else None
    if link is None or grant is None or not link.openings_left or not way.may_open(grant):
        passcodes.compare_with_none(knock.passcode)
        raise ShareLinkClosed
    if not passcodes.is_passcode(link.passcode_hash, link.id, knock.passcode):
        _record_wrong(session, link, grant)
        raise SharePasscodeWrong(remainingAttempts=MOST_TRIES - link.tries)
    # The row is locked since the try was taken.
    link.tries, link.openings_left = link.tries - 1, link.openings_left - 1
    return _record_opening(session, link, grant, knock, way)


def identify_opening(session: Session, *, token: str) -> Actor:
    """Who holds a link that was opened a few minutes ago, allowed nothing but its pages.

    :raises ShareOpeningEnded: the time is over, or the link shows nothing any more.
    """
    asked = select(ShareOpening).where(
        ShareOpening.token_hash == accounts.hash_secret(token), ShareOpening.expires_at > clock.now()
    )
    opening = session.scalars(asked).one_or_none()
    link = session.get_one(ShareLink, opening.link_id) if opening else None
    grant = find_usable_grant(session, link_id=link.id, made_by=link.made_by) if link else None
    if opening is None or link is None or grant is None:
        raise ShareOpeningEnded
    return _holder(link, grant, opening.id)


def get_shared(session: Session, actor: Actor) -> SharedBy:
    """What the actor's link shows.

    :raises ShareOpeningEnded: nothing any more.
    """
    link, opening = session.get(ShareLink, actor.id), session.get(ShareOpening, actor.session_id)
    if link is None or opening is None:
        raise ShareOpeningEnded
    grant = find_usable_grant(session, link_id=link.id, made_by=link.made_by)
    if grant is None:
        raise ShareOpeningEnded
    key = key_of(link)
    return SharedBy(
        person_id=link.person_id,
        recipient=key.unseal(link.recipient_sealed, context=RECIPIENT),
        viewer=key.unseal(opening.viewer_sealed, context=VIEWER),
        grant=grant,
        opened_at=opening.opened_at,
        expires_at=opening.expires_at,
    )


def promise_file(session: Session, opened: Opened) -> str:
    """A secret by which the opening's file can be fetched once, within ten minutes."""
    token, token_hash = accounts.new_secret()
    session.add(ShareFile(opening_id=opened.id, token_hash=token_hash, expires_at=clock.now() + FILE_LIFE))
    session.flush()
    return token


def take_file(session: Session, *, token: str) -> FileRight:
    """Use such a secret up.

    :raises ShareLinkClosed: unknown, used, too old, or the link shows nothing any more.
    """
    now = clock.now()
    used = (
        update(ShareFile)
        .where(
            ShareFile.token_hash == accounts.hash_secret(token),
            ShareFile.used_at.is_(None),
            ShareFile.expires_at > now,
        )
        .values(used_at=now)
    )
    opening_id = session.scalar(used.returning(ShareFile.opening_id))
    if opening_id is None:
        raise ShareLinkClosed
    link = session.get_one(ShareLink, session.get_one(ShareOpening, opening_id).link_id)
    grant = find_usable_grant(session, link_id=link.id, made_by=link.made_by)
    if grant is None:
        raise ShareLinkClosed
    return FileRight(_holder(link, grant, opening_id), link.person_id, _file_key(link))


def _take_try(session: Session, secret: str) -> ShareLink | None:
    """The link of this secret with one try less, its row locked; None: there is none, or no try is left."""
    taken = (
        update(ShareLink)
        .where(ShareLink.secret_hash == accounts.hash_secret(secret), ShareLink.tries < MOST_TRIES)
        .values(tries=ShareLink.tries + 1)
    )
    asked = taken.returning(ShareLink).execution_options(populate_existing=True)
    return session.scalars(asked).one_or_none()


def _record_wrong(session: Session, link: ShareLink, grant: LinkGrant) -> None:
    facts: dict[str, Any] = {"tries_left": MOST_TRIES - link.tries}
    audit.record_act(
        session,
        SYSTEM,
        "consent.share_link.refused",
        subject_id=link.person_id,
        of=("share_link", link.id),
        basis=(grant.id, grant.version),
        facts=facts,
    )
    if link.tries >= MOST_TRIES:
        _tell(session, link, health_card.NoticeKind.SHARE_LOCKED, key=None)


def _record_opening(session: Session, link: ShareLink, grant: LinkGrant, knock: Knock, way: Way) -> Opened:
    now = clock.now()
    token, token_hash = accounts.new_secret() if way is Way.PAGE else (None, None)
    opening = ShareOpening(
        id=new_id(),
        link_id=link.id,
        way=way,
        viewer_sealed=key_of(link).seal(knock.viewer, context=VIEWER),
        device=knock.device,
        token_hash=token_hash,
        opened_at=now,
        expires_at=now + PAGE_LIFE,
    )
    session.add(opening)
    session.flush()
    actor = _holder(link, grant, opening.id)
    audit.record_act(
        session,
        actor,
        "consent.share_link.opened",
        subject_id=link.person_id,
        of=("share_link", link.id),
        purpose=grant.purpose,
        basis=(grant.id, grant.version),
        facts={"way": way.value, "opening_id": str(opening.id)},
    )
    _tell(session, link, health_card.NoticeKind.SHARE_OPENED, key=f"share_opened/{link.id}")
    return Opened(opening.id, actor, link.person_id, token, _file_key(link), opening.expires_at)


def _tell(session: Session, link: ShareLink, kind: health_card.NoticeKind, *, key: str | None) -> None:
    """Whoever made it is told: the person himself alone, unless a guardian decides for him."""
    maker = Actor(ActorKind.PATIENT, link.made_by, frozenset())
    held = health_card.find_holding(session, maker, link.person_id)
    is_own = held is not None and held.is_self
    health_card.tell_person(
        session, person_id=link.person_id, kind=kind, of=("share_link", link.id), key=key, own_only=is_own
    )


def _holder(link: ShareLink, grant: LinkGrant, opening_id: UUID) -> Actor:
    allowed = accounts.LINK_PERMISSIONS if grant.may_download else accounts.VIEW_ONLY
    return Actor(ActorKind.LINK, link.id, allowed, session_id=opening_id)


def _file_key(link: ShareLink) -> bytes:
    return key_of(link).unseal_bytes(link.file_key_sealed, context=FILE_KEY)
