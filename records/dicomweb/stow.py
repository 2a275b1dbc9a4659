"""STOW-RS, Store Instances (PS3.18, section 10.5): the body in, one outcome an instance out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO

from werkzeug.http import parse_options_header

from core.errors import Refusal
from core.storage import Staged, Staging, StorageFull
from records.dicomweb.media import DICOM, MULTIPART
from records.dicomweb.model import Dataset, to_dataset
from records.dicomweb.multipart import MultipartReader
from records.images.details import Details
from records.images.dicom import Header, read_header
from records.refusals import (
    ImageIncomplete,
    ImageIsDirectory,
    ImageUnreadable,
    InstanceDiffers,
    MediaTypeUnsupported,
    MessageDismissed,
    MultipartMalformed,
    PersonContradicts,
    PersonNotMatched,
    StudyMismatch,
    StudyOfAnotherPerson,
    TransferSyntaxNotSupported,
)

LARGEST_REQUEST_BYTES = 8 * 1024**3
MOST_PARTS = 10_000
# Of one request, between reading the files and filing them. What is left out is made when it is asked for.
MOST_DETAILS_BYTES = 64 * 1024**2

# Failure Reason (0008,1197): the classes of PS3.4, table B.2-1, and PS3.7, annex C; within Axxx and Cxxx the last
# digits are ours (docs/interfaces/dicomweb.md).
_PROCESSING_FAILURE = 0x0110
_FAILURE_REASONS: dict[type[Refusal], int] = {
    InstanceDiffers: 0x0111,
    StorageFull: 0xA700,
    ImageIncomplete: 0xA900,
    StudyMismatch: 0xA901,
    ImageIsDirectory: 0x0122,
    ImageUnreadable: 0xC000,
    PersonNotMatched: 0xC001,
    PersonContradicts: 0xC002,
    StudyOfAnotherPerson: 0xC003,
    MessageDismissed: 0xC004,
    TransferSyntaxNotSupported: 0xC122,
}


@dataclass
class Outcome:
    """What became of one instance. Without ``header`` it could not be read at all."""

    staged: Staged
    header: Header | None = None
    refusal: Refusal | None = None

    @contextmanager
    def noting_refusal(self) -> Iterator[None]:
        """Wrap what is done with the instance: its refusal is its own outcome, not that of the request."""
        try:
            yield
        except Refusal as refusal:
            self.refusal = refusal


def receive_files(stream: IO[bytes], content_type: str | None, staging: Staging) -> list[Staged]:
    """Write every part into a sealed file of its own. Nothing is filed before the whole body is there.

    :raises MediaTypeUnsupported: not multipart/related of application/dicom.
    :raises MultipartMalformed: it is not what it says, or was cut off.
    :raises StorageFull: no room.
    """
    media_type, options = parse_options_header(content_type)
    if media_type.lower() != MULTIPART or options.get("type", DICOM).lower() != DICOM:
        raise MediaTypeUnsupported
    parts = MultipartReader(stream, options.get("boundary", ""))
    while (headers := parts.next_part()) is not None:
        if parse_options_header(headers.get("content-type", DICOM))[0].lower() != DICOM:
            raise MediaTypeUnsupported
        if len(staging.files) >= MOST_PARTS:
            raise MultipartMalformed(f"More than {MOST_PARTS} instances in one request; send several requests.")
        staged = staging.new_file()
        parts.copy_part(staged.write)
        staged.finish()
    if not staging.files:
        raise MultipartMalformed
    return staging.files


def read_headers(files: list[Staged]) -> list[Outcome]:
    """What the received files say of themselves; one that cannot be read is refused by itself."""
    outcomes, room = [], MOST_DETAILS_BYTES
    for staged in files:
        outcome = Outcome(staged)
        outcomes.append(outcome)
        with outcome.noting_refusal(), staged.open() as stream:
            header = read_header(stream)
            is_kept = header.details.size_bytes <= room
            room -= header.details.size_bytes if is_kept else 0
            outcome.header = header if is_kept else replace(header, details=Details())
    return outcomes


def by_study(outcomes: list[Outcome]) -> list[tuple[str, list[tuple[Outcome, Header]]]]:
    """The instances that were read, study by study; in each in the order of their UIDs, the same in every request."""
    studies: dict[str, list[tuple[Outcome, Header]]] = {}
    for outcome in outcomes:
        if outcome.header:
            studies.setdefault(outcome.header.study_instance_uid, []).append((outcome, outcome.header))
    return [(uid, sorted(studies[uid], key=lambda one: one[1].sop_instance_uid)) for uid in sorted(studies)]


def to_store_response(outcomes: list[Outcome], base_url: str) -> tuple[Dataset, int]:
    """The store response (section 10.5.3) and its status: 200 all stored, 202 some, 409 none."""
    stored = [outcome.header for outcome in outcomes if outcome.header and not outcome.refusal]
    failed = [outcome for outcome in outcomes if outcome.refusal]
    studies = sorted({header.study_instance_uid for header in stored})
    response = to_dataset(
        # Section 10.5.3: one study has an address; several have one each, which their instances show.
        RetrieveURL=f"{base_url}/dicomweb/studies/{studies[0]}" if len(studies) == 1 else None,
        ReferencedSOPSequence=[_stored_item(header, base_url) for header in stored],
        FailedSOPSequence=[_failed_item(one.header, one.refusal) for one in failed if one.header and one.refusal],
        OtherFailuresSequence=[
            to_dataset(FailureReason=failure_reason(one.refusal)) for one in failed if one.refusal and not one.header
        ],
    )
    present = {tag: element for tag, element in response.items() if "Value" in element}
    return present, 200 if not failed else 202 if stored else 409


def failure_reason(refusal: Refusal) -> int:
    """The value of Failure Reason (0008,1197) that stands for a refusal."""
    return _FAILURE_REASONS.get(type(refusal), _PROCESSING_FAILURE)


def _stored_item(header: Header, base_url: str) -> Dataset:
    return to_dataset(
        ReferencedSOPClassUID=header.sop_class_uid,
        ReferencedSOPInstanceUID=header.sop_instance_uid,
        RetrieveURL=(
            f"{base_url}/dicomweb/studies/{header.study_instance_uid}/series/{header.series_instance_uid}"
            f"/instances/{header.sop_instance_uid}"
        ),
    )


def _failed_item(header: Header, refusal: Refusal) -> Dataset:
    return to_dataset(
        ReferencedSOPClassUID=header.sop_class_uid,
        ReferencedSOPInstanceUID=header.sop_instance_uid,
        FailureReason=failure_reason(refusal),
    )
