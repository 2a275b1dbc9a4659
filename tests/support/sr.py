"""Structured reports, key object selections and PDF, as modalities and reporting systems write them."""

from typing import Any

from pydicom import Dataset, uid
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

Codes = tuple[str, str, str]

FINDINGS: Codes = ("121070", "DCM", "影像所见")
IMPRESSIONS: Codes = ("121072", "DCM", "诊断意见")
FINDING: Codes = ("121071", "DCM", "所见")
TITLE: Codes = ("18747-6", "LN", "CT检查报告")


def code(value: Codes) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value
    return made


def item(kind: str, name: Codes | None, *below: Dataset, relation: str = "CONTAINS", **values: Any) -> Dataset:
    """A content item."""
    made = Dataset()
    made.RelationshipType, made.ValueType = relation, kind
    if name is not None:
        made.ConceptNameCodeSequence = [code(name)]
    for keyword, value in values.items():
        setattr(made, keyword, value)
    if kind == "CONTAINER":
        made.ContinuityOfContent = "SEPARATE"
    if below:
        made.ContentSequence = list(below)
    return made


def text(name: Codes, value: str, *below: Dataset, relation: str = "CONTAINS") -> Dataset:
    return item("TEXT", name, *below, relation=relation, TextValue=value)


def coded(name: Codes, value: Codes, *below: Dataset, relation: str = "CONTAINS") -> Dataset:
    return item("CODE", name, *below, relation=relation, ConceptCodeSequence=[code(value)])


def number(name: Codes, value: str, unit: Codes, *below: Dataset, relation: str = "CONTAINS") -> Dataset:
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = value, [code(unit)]
    return item("NUM", name, *below, relation=relation, MeasuredValueSequence=[measured])


def image(uid_: str, *frames: int) -> Dataset:
    referenced = Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = uid.CTImageStorage, uid_
    if frames:
        referenced.ReferencedFrameNumber = list(frames)
    return item("IMAGE", None, ReferencedSOPSequence=[referenced])


def make_object(sop_class: UID, **attributes: Any) -> FileDataset:
    """An instance without pixels, of a series of its own."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = sop_class, ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SpecificCharacterSet, made.SOPClassUID, made.Modality = "ISO_IR 192", sop_class, "SR"
    made.SOPInstanceUID, made.SeriesInstanceUID, made.StudyInstanceUID = (generate_uid() for _ in range(3))
    made.ContentDate, made.ContentTime, made.InstanceNumber = "20260712", "110000", 1
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def make_report(*content: Dataset, sop_class: UID = uid.EnhancedSRStorage, **attributes: Any) -> FileDataset:
    """A structured report, complete and verified unless ``attributes`` say otherwise."""
    verifier = Dataset()
    verifier.VerifyingObserverName, verifier.VerifyingOrganization = "Shen^Ceshi=审^测试", "影像科"
    verifier.VerificationDateTime = "20260712113000"
    said: dict[str, Any] = {
        "ValueType": "CONTAINER",
        "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": [code(TITLE)],
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "VERIFIED",
        "VerifyingObserverSequence": [verifier],
        "ContentSequence": list(content),
    }
    return make_object(sop_class, **said | attributes)


def replacing(*earlier: Dataset) -> list[Dataset]:
    """A Predecessor Documents Sequence."""
    return [_refer(one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPClassUID, one.SOPInstanceUID) for one in earlier]


def make_selection(title: Codes, *content: Dataset, evidence: dict[str, list[str]], **attributes: Any) -> FileDataset:
    """A key object selection. ``evidence``: studies with the instances of each that it refers to."""
    said: dict[str, Any] = {
        "Modality": "KO",
        "ValueType": "CONTAINER",
        "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": [code(title)],
        "ContentSequence": list(content),
        "CurrentRequestedProcedureEvidenceSequence": [
            _refer(study, generate_uid(), uid.CTImageStorage, *uids) for study, uids in evidence.items()
        ],
    }
    return make_object(uid.KeyObjectSelectionDocumentStorage, **said | attributes)


def _refer(study_uid: str, series_uid: str, sop_class: str, *uids: str) -> Dataset:
    study, series = Dataset(), Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = study_uid, [series]
    series.SeriesInstanceUID, series.ReferencedSOPSequence = series_uid, []
    for one in uids:
        referenced = Dataset()
        referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = sop_class, one
        series.ReferencedSOPSequence.append(referenced)
    return study
