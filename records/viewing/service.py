"""Views of one study: asked for with a token, entered with a ticket, and decided anew at every picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import audit, clock, limits
from core.actor import Actor, ActorKind
from core.errors import Refusal
from core.pages import city_time
from health_card import service as health_card
from records.images import service as images
from records.images.models import Study
from records.images.service import InstanceFile, StudyView
from records.news import service as news
from records.refusals import ImageNotFound
from records.reports import service as reports
from records.viewing.models import ImageView
from records.viewing.refusals import ViewEnded, ViewTicketInvalid

TICKET_LIFE = timedelta(minutes=1)
VIEW_LIFE = timedelta(minutes=15)
COPIES_A_MINUTE = 3
_ALLOWS = frozenset({"records:image:read", "records:study:copy"})
# Of a study with more, the others are found on the timeline.
_MOST_REPORTS = 5


@dataclass(frozen=True)
class Ticket:
    """What is handed to the one who asked, once."""

    study_id: UUID
    text: str
    expires_at: datetime


@dataclass(frozen=True)
class Viewing:
    """A study and whose it is: on a screen with several windows nobody may mistake one patient for another.

    ``reports``: what it was found to show, as far as the reader may see it. ``reader``: whose eyes they are shown to,
    where these are not the patient's.
    """

    study: StudyView
    person: health_card.Demographics
    is_own: bool
    reports: list[reports.ReportView]
    reader: str | None


def ask_view(session: Session, actor: Actor, *, study_id: UUID) -> Ticket:
    """A ticket with which a browser may see this study, on behalf of the login that asks.

    :raises ImageNotFound: no such study that the login may see.
    """
    study = _get_readable(session, actor, study_id)
    text, ticket_hash = accounts.new_secret()
    now = clock.now()
    view = ImageView(
        study_id=study.id,
        login_id=actor.id,
        session_id=actor.session_id,
        ticket_hash=ticket_hash,
        created_at=now,
        expires_at=now + TICKET_LIFE,
    )
    session.add(view)
    session.flush()
    audit.record_act(session, actor, "records.study_view.asked", subject_id=study.person_id, of=("study", study.id))
    return Ticket(study.id, text, view.expires_at)


def enter_view(session: Session, *, study_id: UUID, ticket: str) -> str:
    """Use a ticket up; returns the secret that the browser shows from now on, for 15 minutes.

    :raises ViewTicketInvalid: unknown, too old, or used before. The last ends the view that it opened.
    """
    asked = select(ImageView).filter_by(ticket_hash=accounts.hash_secret(ticket), study_id=study_id)
    view = session.scalars(asked.with_for_update()).one_or_none()
    now = clock.now()
    if view is not None and view.entered_at is not None:
        view.ended_at = view.ended_at or now
        raise ViewTicketInvalid
    if view is None or view.expires_at <= now:
        raise ViewTicketInvalid
    text, view.token_hash = accounts.new_secret()
    view.entered_at, view.expires_at = now, now + VIEW_LIFE
    return text


def identify_view(session: Session, *, study_id: UUID, token: str) -> Actor:
    """The login behind a view, allowed nothing but to look at images and their reports.

    The caller shows it those of this study only.

    :raises ViewEnded: the view is over, is of another study, or the sign-in behind it has ended.
    """
    asked = select(ImageView.login_id, ImageView.session_id).where(
        ImageView.token_hash == accounts.hash_secret(token), ImageView.study_id == study_id, _is_alive()
    )
    found = session.execute(asked).one_or_none()
    if found is None:
        raise ViewEnded
    try:
        actor = accounts.identify_login(session, login_id=found.login_id, session_id=found.session_id)
    except Refusal:
        raise ViewEnded from None
    return replace(actor, permissions=actor.permissions & _ALLOWS)


def read_study(session: Session, actor: Actor, *, study_id: UUID) -> Viewing:
    """The study with all its series, whose it is, and its reports, each recorded as read.

    :raises ImageNotFound: no such study that the actor may see.
    """
    shown = images.get_study(session, actor, study_id)
    # Only now: the line above has decided that the actor may see this person's study, and recorded it.
    person_id = _get_readable(session, actor, study_id).person_id
    person = health_card.get_demographics(session, person_id, masked=False)
    said = [reports.get_report(session, actor, one.id) for one in shown.reports[:_MOST_REPORTS]]
    if actor.kind is ActorKind.STAFF:
        for report in said:
            news.see_report(session, actor, report_id=report.id)
    is_own = actor.kind is ActorKind.PATIENT
    return Viewing(shown, person, is_own=is_own, reports=said, reader=name_reader(session, actor))


def name_reader(session: Session, actor: Actor) -> str | None:
    """What stands over pictures for everybody but their patient: who looks at them, from which house, and when."""
    found = accounts.list_practitioners(session, ids=[actor.id], limit=1) if actor.kind is ActorKind.STAFF else []
    return f"{found[0].name} {found[0].hospital.name} {city_time(clock.now())}" if found else None


def list_uids(session: Session, actor: Actor, *, study_ids: Sequence[UUID]) -> list[str]:
    """The StudyInstanceUIDs of studies of one person, to be opened beside each other.

    :raises ImageNotFound: the actor may not see one of them, or they are not of one person.
    """
    studies = [_get_readable(session, actor, study_id) for study_id in study_ids]
    if any(not health_card.is_same_person(session, one.person_id, studies[0].person_id) for one in studies[1:]):
        raise ImageNotFound
    return [one.study_instance_uid for one in studies]


def open_copy(session: Session, actor: Actor, *, study_id: UUID, form: str, use: str) -> list[InstanceFile]:
    """All instances of a study, to take away. What happens to a copy is in the hands of who took it from then on.

    :param form: dicom or jpeg; ``use``: own or shared. Both are recorded.
    :raises ImageNotFound: no such study that the actor may see.
    :raises RateExceeded: the actor has taken three copies within a minute.
    """
    study = _get_readable(session, actor, study_id)
    limits.count("study_copy", str(actor.id), per_minute=COPIES_A_MINUTE)
    consent.release(
        session,
        actor,
        person_id=study.person_id,
        action="records.study.copied",
        of=("study", study.id),
        facts={"form": form, "use": use},
        need=consent.Need.DOWNLOAD,
    )
    return images.list_files(session, actor, study_uid=study.study_instance_uid)


def check_standing(session: Session, actor: Actor, *, study_id: UUID) -> None:
    """Whether what the browser holds may still be shown. It gives nothing out, so nothing is recorded.

    :raises ImageNotFound: it may not.
    """
    _get_readable(session, actor, study_id)


def open_instance(
    session: Session, actor: Actor, *, study_id: UUID, series_uid: str, sop_uid: str, frame: int = 1
) -> InstanceFile:
    """One instance of this study.

    :param frame: which of its frames is wanted, from 1.
    :raises ImageNotFound: no such study, instance or frame that the actor may see.
    """
    study = _get_readable(session, actor, study_id)
    return images.get_instance(
        session,
        actor,
        study_uid=study.study_instance_uid,
        series_uid=series_uid,
        sop_uid=sop_uid,
        frame=frame,
        for_picture=True,
    )


def _get_readable(session: Session, actor: Actor, study_id: UUID) -> Study:
    asked = select(Study).where(
        Study.id == study_id, consent.is_readable(actor, person_id=Study.person_id, object_id=Study.id)
    )
    study = session.scalars(asked).one_or_none()
    if study is None:
        raise ImageNotFound
    return study


def _is_alive() -> ColumnElement[bool]:
    return ImageView.ended_at.is_(None) & (ImageView.expires_at > clock.now())
