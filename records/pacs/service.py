"""Which hospital's archive is asked, and how far its index is filled."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor
from core.config import Profile
from core.ids import new_id
from core.outbox import announce
from core.vault import vault
from records.pacs.access import ArchiveAccess
from records.pacs.addresses import check_address
from records.pacs.models import ImageArchive
from records.pacs.refusals import ArchiveNotFound

SEARCH_DUE = "records.archive_search_due"
STUDY_FOUND = "records.archive_study_found"
_SEALED_COLUMN = "image_archives.secret_sealed"


@dataclass(frozen=True)
class NewArchive:
    """What is registered. ``username``: None where the secret is a bearer token; ``first_day``: of study, to begin.

    ``authority``: the house's own certificate authority (PEM), trusted beside the public ones.
    """

    base_url: str
    username: str | None
    secret: str
    first_day: date
    authority: str | None


@dataclass(frozen=True)
class ArchiveFile:
    """A registered archive, without its secret. ``reached_at``: when it last answered the search."""

    hospital_code: str
    hospital_name: str
    base_url: str
    username: str | None
    has_authority: bool
    is_enabled: bool
    first_day: date
    searched_on: date | None
    reached_at: datetime | None
    registered_at: datetime


def register_archive(
    session: Session, actor: Actor, *, hospital_code: str, archive: NewArchive, profile: Profile
) -> None:
    """From now on the hospital's archive is asked at this address; the index is filled from the first day on.

    Registering again replaces address and secret and fills the index anew, which changes nothing that is there.

    :raises HospitalNotFound: no such hospital.
    :raises ArchiveAddressUnfit: an address that is not asked.
    """
    hospital_id = accounts.find_hospital_id(session, hospital_code)
    base_url = check_address(archive.base_url, profile)
    key, wrapped = vault().new_key()
    revision = new_id()
    session.merge(
        ImageArchive(
            hospital_id=hospital_id,
            base_url=base_url,
            username=archive.username,
            data_key=wrapped,
            secret_sealed=key.seal(archive.secret, context=_SEALED_COLUMN),
            authority=archive.authority,
            is_enabled=True,
            revision=revision,
            first_day=archive.first_day,
            searched_on=None,
            reached_at=None,
            registered_at=clock.now(),
        )
    )
    session.flush()
    announce(session, SEARCH_DUE, {"hospital_id": str(hospital_id), "revision": str(revision)})
    facts = {"base_url": base_url}
    audit.record_act(session, actor, "records.image_archive.registered", of=("hospital", hospital_id), facts=facts)


def close_archive(session: Session, actor: Actor, *, hospital_code: str) -> None:
    """Ask it no more: its secret is destroyed, and its pixels are not shown until it is registered again.

    :raises HospitalNotFound: no such hospital.
    :raises ArchiveNotFound: none in use.
    """
    hospital_id = accounts.find_hospital_id(session, hospital_code)
    archive = session.get(ImageArchive, hospital_id, with_for_update=True)
    if archive is None or not archive.is_enabled:
        raise ArchiveNotFound
    archive.is_enabled, archive.revision = False, new_id()
    archive.secret_sealed = b""
    audit.record_act(session, actor, "records.image_archive.closed", of=("hospital", hospital_id))


def list_archives(session: Session) -> list[ArchiveFile]:
    """All archives, by hospital code."""
    archives = list(session.scalars(select(ImageArchive)))
    hospitals = accounts.list_hospitals(session, {archive.hospital_id for archive in archives})
    files = [
        ArchiveFile(
            hospital_code=hospitals[archive.hospital_id].code,
            hospital_name=hospitals[archive.hospital_id].name,
            base_url=archive.base_url,
            username=archive.username,
            has_authority=archive.authority is not None,
            is_enabled=archive.is_enabled,
            first_day=archive.first_day,
            searched_on=archive.searched_on,
            reached_at=archive.reached_at,
            registered_at=archive.registered_at,
        )
        for archive in archives
    ]
    return sorted(files, key=lambda file: file.hospital_code)


def note_study(session: Session, actor: Actor, *, study_uid: str) -> None:
    """The actor's hospital says that a study in its archive is new or has changed; the index follows.

    :raises ArchiveNotFound: none of its archives is asked.
    """
    access = find_access(session, actor.house_id)
    if access is None:
        raise ArchiveNotFound
    plan_study(session, access, study_uid)


def plan_study(session: Session, access: ArchiveAccess, study_uid: str, *, instances: int | None = None) -> None:
    """Have the index of one study filled.

    :param instances: how many the archive says there are; the same number under one registration is looked at once.
    """
    payload = {"hospital_id": str(access.hospital_id), "revision": str(access.revision), "study_uid": study_uid}
    key = None if instances is None else f"{STUDY_FOUND}/{access.revision}/{study_uid}/{instances}"
    announce(session, STUDY_FOUND, payload, key=key, wakes=False)


def find_access(session: Session, hospital_id: UUID, *, revision: UUID | None = None) -> ArchiveAccess | None:
    """How a hospital's archive is reached, when it is in use; with ``revision``: if that is still the registration."""
    archive = session.get(ImageArchive, hospital_id)
    if archive is None or not archive.is_enabled or revision not in {None, archive.revision}:
        return None
    secret = vault().unwrap(archive.data_key).unseal(archive.secret_sealed, context=_SEALED_COLUMN)
    return ArchiveAccess(hospital_id, archive.base_url, archive.username, secret, archive.revision, archive.authority)


def get_progress(session: Session, access: ArchiveAccess) -> tuple[date, date | None]:
    """From which day of study on, and up to which, the index is filled."""
    archive = session.get_one(ImageArchive, access.hospital_id)
    return archive.first_day, archive.searched_on


def record_searched(session: Session, access: ArchiveAccess, day: date) -> None:
    """All studies of this day that the archive has now are planned."""
    archive = session.get_one(ImageArchive, access.hospital_id, with_for_update=True)
    if archive.revision == access.revision:
        archive.searched_on = max(day, archive.searched_on or day)
        archive.reached_at = clock.now()
