"""The client of a hospital's archive: QIDO-RS and WADO-RS (DICOM PS3.18, sections 10.4 and 10.6).

Never used inside a transaction: every call may take seconds.
"""

import base64
import io
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import IO, Any, cast
from uuid import UUID

import requests
import urllib3
from requests.adapters import HTTPAdapter
from werkzeug.http import parse_options_header

from core import observe
from core.circuit import Circuit
from records.dicomweb.multipart import MultipartReader
from records.pacs.access import ArchiveAccess
from records.pacs.addresses import check_resolved
from records.pacs.refusals import ArchiveAddressUnfit, ArchiveAnswerUnfit, ArchiveUnavailable
from records.refusals import MultipartMalformed

PAGE = 100
LARGEST_INSTANCE_BYTES = 2 * 1024**3
LARGEST_JSON_BYTES = 64 * 1024**2
LONGEST_SECONDS = 300.0
_TIMEOUT_SECONDS = (3.05, 15.0)
_REST_SECONDS = 30.0
_PIECE_BYTES = 64 * 1024
# Orthanc answers a plain */* with 400, and dies of some transfer syntaxes asked for by name.
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_AS_JSON = "application/dicom+json"
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class FoundStudy:
    """A study that the archive has. ``instances``: how many it says there are, None when it does not say."""

    study_instance_uid: str
    instances: int | None


# Whether a hospital's archive is worth asking now, as this process knows it.
_CIRCUITS: dict[UUID, Circuit] = {}


class Archive:
    """One hospital's archive. Redirects are not followed, and what is answered has a size and a time."""

    def __init__(self, access: ArchiveAccess) -> None:
        self._access = access
        self._circuit = _CIRCUITS.setdefault(access.hospital_id, Circuit(_REST_SECONDS))

    def list_studies(self, day: date, *, offset: int) -> list[FoundStudy]:
        """At most ``PAGE`` studies of one day of study.

        :raises ArchiveUnavailable: it does not answer.
        :raises ArchiveAnswerUnfit: not in a way that can be understood.
        """
        # NumberOfStudyRelatedInstances (0020,1208) tells whether a known study has grown.
        query = f"StudyDate={day:%Y%m%d}&includefield=00201208&limit={PAGE}&offset={offset}"
        found = self._read_json(f"/studies?{query}")
        return [FoundStudy(_uid(one, "0020000D"), _number(one, "00201208")) for one in found]

    def list_series(self, study_uid: str) -> list[str]:
        """The SeriesInstanceUIDs of a study; raises as ``list_studies``."""
        return [_uid(one, "0020000E") for one in self._read_json(f"/studies/{study_uid}/series")]

    def read_metadata(self, study_uid: str, series_uid: str) -> list[dict[str, Any]]:
        """All instances of a series in the DICOM JSON model; raises as ``list_studies``."""
        return self._read_json(f"/studies/{study_uid}/series/{series_uid}/metadata")

    def fetch(self, study_uid: str, series_uid: str, sop_uid: str, write: Callable[[bytes], None]) -> None:
        """An instance as it is stored there, piece by piece.

        :raises ArchiveUnavailable: it does not answer, or stops in the middle.
        :raises ArchiveAnswerUnfit: it has none such, or it is larger than anything that is shown.
        """
        path = f"/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}"
        with self._ask(path, _AS_STORED) as reply:
            media_type, options = parse_options_header(reply.headers.get("Content-Type"))
            if media_type.lower() != "multipart/related":
                raise ArchiveAnswerUnfit
            try:
                parts = MultipartReader(_bounded(reply, LARGEST_INSTANCE_BYTES), options.get("boundary", ""))
                if parts.next_part() is None:
                    raise ArchiveAnswerUnfit
                parts.copy_part(write)
            except MultipartMalformed:
                raise ArchiveUnavailable from None

    def _read_json(self, path: str) -> list[dict[str, Any]]:
        with self._ask(path, _AS_JSON) as reply:
            if reply.status_code == 204:
                return []
            try:
                answered = json.loads(_bounded(reply, LARGEST_JSON_BYTES).read())
            except (ValueError, RecursionError):
                raise ArchiveAnswerUnfit from None
        if not isinstance(answered, list) or not all(isinstance(one, dict) for one in answered):
            raise ArchiveAnswerUnfit
        return answered

    @contextmanager
    def _ask(self, path: str, accept: str) -> Iterator[requests.Response]:
        if self._circuit.is_open:
            raise ArchiveUnavailable
        try:
            with requests.Session() as session, self._send(session, path, accept) as reply:
                if reply.status_code >= 500 or reply.status_code == 429:
                    raise requests.ConnectionError
                if reply.status_code not in {200, 204}:
                    observe.log.warning("archive.refused", hospital=self._access.hospital, status=reply.status_code)
                    raise ArchiveAnswerUnfit
                yield reply
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._circuit.trip()
            observe.log.warning("archive.unavailable", hospital=self._access.hospital, error=type(error).__name__)
            raise ArchiveUnavailable from None
        except ArchiveAddressUnfit:
            observe.log.error("archive.leads_home", hospital=self._access.hospital)
            raise ArchiveUnavailable from None
        self._circuit.close()

    def _send(self, session: requests.Session, path: str, accept: str) -> requests.Response:
        check_resolved(self._access.base_url)
        # Neither a proxy nor a password comes from the environment.
        session.trust_env = False
        if self._access.authority is not None:
            session.mount("https://", _Trusting(self._access.authority))
        headers = {"Accept": accept, "User-Agent": "yimatong"}
        username, secret = self._access.username, self._access.secret
        basic = base64.b64encode(f"{username}:{secret}".encode()).decode()
        headers["Authorization"] = f"Bearer {secret}" if username is None else f"Basic {basic}"
        return session.get(
            f"{self._access.base_url}{path}",
            headers=headers,
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        )


class _Trusting(HTTPAdapter):
    """A connection that also believes a certificate authority of the hospital's own."""

    def __init__(self, authority: str) -> None:
        self._context = ssl.create_default_context(cadata=authority)
        super().__init__()

    def init_poolmanager(self, *told: Any, **named: Any) -> None:
        super().init_poolmanager(*told, ssl_context=self._context, **named)


class _Bounded(io.RawIOBase):
    """An answer that is read up to a size and until a time, both of which the one who answers could else choose."""

    def __init__(self, reply: requests.Response, most_bytes: int) -> None:
        self._raw, self._left = reply.raw, most_bytes
        self._until = time.monotonic() + LONGEST_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # the Buffer protocol has no name before 3.12
        piece: bytes = self._raw.read(len(view), decode_content=True)
        self._left -= len(piece)
        if self._left < 0:
            raise ArchiveAnswerUnfit
        if time.monotonic() > self._until:
            raise ArchiveUnavailable
        view[: len(piece)] = piece
        return len(piece)


def _bounded(reply: requests.Response, most_bytes: int) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(_Bounded(reply, most_bytes), _PIECE_BYTES))


def _uid(found: dict[str, Any], tag: str) -> str:
    value = _first(found, tag)
    # It goes into an address.
    if not isinstance(value, str) or not _UID.fullmatch(value):
        raise ArchiveAnswerUnfit
    return value


def _number(found: dict[str, Any], tag: str) -> int | None:
    value = _first(found, tag)
    return int(value) if re.fullmatch(r"[0-9]{1,9}", str(value)) else None


def _first(found: dict[str, Any], tag: str) -> Any:
    element = found.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None
