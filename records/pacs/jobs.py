"""Filling the index of what lies in hospitals' archives: by day of study, and on notice."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import current_app

from core import clock, db, observe
from core.actor import Actor, ActorKind
from core.config import Config
from core.dispatch import Handler, TryLater
from core.errors import Refusal
from core.storage import Staging
from records.images import service as images
from records.images.dicom import read_header
from records.pacs import service
from records.pacs.access import ArchiveAccess
from records.pacs.archive import PAGE, Archive
from records.pacs.headers import to_header_file
from records.pacs.refusals import ArchiveAnswerUnfit, ArchiveUnavailable
from records.refusals import StudyMismatch

# Well within the lease of a message.
_WORK = timedelta(seconds=30)
# A study is sent to an archive, and described there, for days after it was made.
_RECENT = timedelta(days=2)
_AGAIN_SECONDS = 600
_UNAVAILABLE_SECONDS = 60
# A day has fewer; an archive that never comes to an end is not followed for ever.
_MOST_STUDIES_A_DAY = 20_000


def search_archive(payload: dict[str, Any]) -> None:
    """Plan the studies of every day that was not searched yet, and those of the last days again; then wait.

    :raises TryLater: always, as long as the archive is registered.
    """
    access = _find_access(payload)
    if access is None:
        return
    with db.snapshot() as session:
        first_day, searched_on = service.get_progress(session, access)
    until = clock.now() + _WORK
    try:
        for day in _list_days(first_day, searched_on):
            _search_day(access, day)
            if clock.now() >= until:
                raise TryLater(0)
    except ArchiveUnavailable:
        raise TryLater(_UNAVAILABLE_SECONDS) from None
    except ArchiveAnswerUnfit:
        observe.log.warning("archive.search_unfit", hospital=access.hospital)
    raise TryLater(_AGAIN_SECONDS)


def index_study(payload: dict[str, Any]) -> None:
    """File the headers of a study's instances, each in a transaction of its own, as if the hospital had sent them.

    :raises TryLater: the archive does not answer, or the study is large: what is filed already is passed over.
    """
    access = _find_access(payload)
    if access is None:
        return
    archive, study_uid, until = Archive(access), payload["study_uid"], clock.now() + _WORK
    try:
        for series_uid in archive.list_series(study_uid):
            for metadata in archive.read_metadata(study_uid, series_uid):
                _file(access, metadata, study_uid, series_uid)
                if clock.now() >= until:
                    raise TryLater(0)
    except ArchiveUnavailable:
        raise TryLater(_UNAVAILABLE_SECONDS) from None


def _find_access(payload: dict[str, Any]) -> ArchiveAccess | None:
    with db.snapshot() as session:
        return service.find_access(session, UUID(payload["hospital_id"]), revision=UUID(payload["revision"]))


def _list_days(first_day: date, searched_on: date | None) -> Iterator[date]:
    today = clock.in_city(clock.now()).date()
    day = first_day if searched_on is None else max(first_day, min(searched_on + timedelta(days=1), today - _RECENT))
    while day <= today:
        yield day
        day += timedelta(days=1)


def _search_day(access: ArchiveAccess, day: date) -> None:
    archive = Archive(access)
    for offset in range(0, _MOST_STUDIES_A_DAY, PAGE):
        found = archive.list_studies(day, offset=offset)
        with db.transaction() as session:
            for study in found:
                service.plan_study(session, access, study.study_instance_uid, instances=study.instances or 0)
            if len(found) < PAGE:
                service.record_searched(session, access, day)
                return


def _file(access: ArchiveAccess, metadata: dict[str, Any], study_uid: str, series_uid: str) -> None:
    config: Config = current_app.extensions["yimatong.config"]
    house = Actor(ActorKind.MACHINE, access.hospital_id, frozenset(), hospital_id=access.hospital_id)
    sop_uid = _sop_uid(metadata)
    with db.snapshot() as session:
        if sop_uid is not None and images.is_filed(session, house, sop_uid=sop_uid):
            return
    try:
        with Staging() as staging:
            staged = staging.new_file()
            staged.write(to_header_file(metadata))
            staged.finish()
            with staged.open() as stream:
                header = read_header(stream)
            if header.series_instance_uid != series_uid:
                raise StudyMismatch
            with db.transaction() as session:
                images.file_instance(
                    session,
                    house,
                    staged=staged,
                    header=header,
                    card_issuer=config.issuer_code,
                    into_study=study_uid,
                    is_archived=True,
                )
    except Refusal as refusal:
        # Whom it is about could not be told, or it is no image: it waits in quarantine, or there is nothing to keep.
        if refusal.status >= 500:
            raise
        observe.log.info("archive.instance_refused", hospital=access.hospital, code=refusal.code)


def _sop_uid(metadata: dict[str, Any]) -> str | None:
    element = metadata.get("00080018")
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values else None


HANDLERS: dict[str, Handler] = {service.SEARCH_DUE: search_archive, service.STUDY_FOUND: index_study}
