"""Key object selections (PS3.3, section A.35.4; PS3.16, TID 2010)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydicom import Dataset

from records.dicomsr.content import Item, read_code, read_sequence, read_tree, read_value
from records.dicomsr.refusals import DocumentNotUnderstood
from records.images.service import Pointed

MOST_IMAGES = 10_000
_UNTITLED = "Key images"
# PS3.16, CID 7011: for quality, for the patient's safety, a wrong worklist entry; and whose time to be kept is over.
_REJECTING = frozenset(("DCM", code) for code in ("113001", "113037", "113038", "113039"))
_DESCRIPTION = frozenset({("DCM", "113012")})


@dataclass(frozen=True)
class Selection:
    """What a selection says; see ``records.images.models.KeySelection``."""

    title: str
    description: str | None
    is_rejection: bool
    images: tuple[Pointed, ...]


def read_selection(found: Dataset) -> Selection:
    """The selection that a file says.

    :param found: the file's data set.
    :raises DocumentNotUnderstood: it points nothing out, or too much.
    """
    root = read_tree(found)
    studies = dict(_list_evidence(found))
    own = read_value(found, "StudyInstanceUID") or ""
    images = [replace(one, study_instance_uid=studies.get(one.sop_instance_uid, own)) for one in _list_images(root)]
    if not images:
        raise DocumentNotUnderstood("it points out nothing")
    if len(images) > MOST_IMAGES:
        raise DocumentNotUnderstood(f"it points out more than {MOST_IMAGES} images")
    title = read_code(found, "ConceptNameCodeSequence")
    described = [one.text for one in root.below if one.concept and one.concept.is_one_of(_DESCRIPTION) and one.text]
    return Selection(
        title=title.meaning if title else _UNTITLED,
        description="\n".join(described) or None,
        is_rejection=title is not None and title.is_one_of(_REJECTING),
        images=tuple(dict.fromkeys(images)),
    )


def _list_images(root: Item) -> Iterator[Pointed]:
    for item in root.walk():
        yield from item.images


def _list_evidence(found: Dataset) -> Iterator[tuple[str, str]]:
    """Instances that the document refers to, each with its study (section C.17.2.3)."""
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in read_sequence(found, keyword):
            study_uid = read_value(study, "StudyInstanceUID")
            for series in read_sequence(study, "ReferencedSeriesSequence"):
                for one in read_sequence(series, "ReferencedSOPSequence"):
                    uid = read_value(one, "ReferencedSOPInstanceUID")
                    if uid and study_uid:
                        yield uid, study_uid
