"""QIDO-RS, Search Transaction (PS3.18, section 10.6): what was found, as data sets. Persons are not named in them."""

import json

from core import clock
from records.dicomweb.keys import Query
from records.dicomweb.model import Dataset, to_dataset
from records.images.details import ADDRESS
from records.images.service import Hit, InstanceView, Level, Page, SeriesView, StudyView

_FUZZY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
_MORE = "There are additional results that can be requested."


def to_results(query: Query, page: Page, base_url: str) -> list[Dataset]:
    """The data sets of a page. What a result belongs to comes with it, unless the address has named that."""
    return [_to_result(query, hit, base_url) for hit in page.hits]


def list_warnings(query: Query, page: Page, base_url: str) -> list[str]:
    """Values of Warning headers (sections 8.3.4.2 and 8.3.4.4)."""
    said = [text for text, holds in ((_FUZZY, query.is_fuzzy), (_MORE, page.has_more)) if holds]
    return [f'299 {base_url}/dicomweb "{text}"' for text in said]


def _to_result(query: Query, hit: Hit, base_url: str) -> Dataset:
    search, study_uid = query.search, hit.study.study_instance_uid
    result: Dataset = {}
    if search.level is Level.STUDY or search.study_uid is None:
        result |= to_study(hit.study, base_url)
    if hit.series and (search.level is Level.SERIES or search.series_uid is None):
        result |= to_series(hit.series, study_uid, base_url)
    if hit.series and hit.instance:
        series_uid = hit.series.series_instance_uid
        result |= to_instance(hit.instance, study_uid, series_uid, base_url)
        result = _more_fields(query, hit.metadata, result["00081190"]["Value"][0]) | result
    return dict(sorted(result.items()))


def _more_fields(query: Query, metadata: bytes | None, address: str) -> Dataset:
    if metadata is None:
        return {}
    known: Dataset = json.loads(metadata.replace(ADDRESS, address.encode()))
    return {tag: known[tag] for tag in known if query.fields is None or tag in query.fields}


def to_study(study: StudyView, base_url: str) -> Dataset:
    """Table 10.6.3-3, without the attributes that name or describe the patient."""
    studied_at = clock.in_city(study.studied_at)
    return to_dataset(
        StudyDate=studied_at.strftime("%Y%m%d"),
        StudyTime=studied_at.strftime("%H%M%S"),
        TimezoneOffsetFromUTC=studied_at.strftime("%z"),
        AccessionNumber=study.accession_number,
        InstanceAvailability="ONLINE",
        InstitutionName=study.hospital_name,
        ModalitiesInStudy=study.modalities,
        StudyDescription=study.description,
        ReferringPhysicianName=_to_name(study.referring_physician),
        StudyID=study.local_id,
        StudyInstanceUID=study.study_instance_uid,
        NumberOfStudyRelatedSeries=study.series_count,
        NumberOfStudyRelatedInstances=study.instance_count,
        RetrieveURL=f"{base_url}/dicomweb/studies/{study.study_instance_uid}",
    )


def to_series(series: SeriesView, study_uid: str, base_url: str) -> Dataset:
    """Table 10.6.3-4."""
    performed_at = clock.in_city(series.performed_at) if series.performed_at else None
    zone = {"TimezoneOffsetFromUTC": performed_at.strftime("%z")} if performed_at else {}
    return to_dataset(
        **zone,
        Modality=series.modality,
        SeriesDescription=series.description,
        BodyPartExamined=series.body_part,
        StudyInstanceUID=study_uid,
        SeriesInstanceUID=series.series_instance_uid,
        SeriesNumber=series.number,
        NumberOfSeriesRelatedInstances=series.instance_count,
        PerformedProcedureStepStartDate=performed_at.strftime("%Y%m%d") if performed_at else None,
        PerformedProcedureStepStartTime=performed_at.strftime("%H%M%S") if performed_at else None,
        RequestAttributesSequence=[to_dataset(**one) for one in series.requests],
        RetrieveURL=f"{base_url}/dicomweb/studies/{study_uid}/series/{series.series_instance_uid}",
    )


def to_instance(instance: InstanceView, study_uid: str, series_uid: str, base_url: str) -> Dataset:
    """Table 10.6.3-5."""
    base = f"{base_url}/dicomweb/studies/{study_uid}/series/{series_uid}"
    return to_dataset(
        SOPClassUID=instance.sop_class_uid,
        SOPInstanceUID=instance.sop_instance_uid,
        StudyInstanceUID=study_uid,
        SeriesInstanceUID=series_uid,
        InstanceAvailability="ONLINE",
        InstanceNumber=instance.number,
        NumberOfFrames=instance.frames,
        Rows=instance.rows,
        Columns=instance.columns,
        BitsAllocated=instance.bits_allocated,
        AvailableTransferSyntaxUID=instance.transfer_syntax_uid,
        RetrieveURL=f"{base}/instances/{instance.sop_instance_uid}",
    )


def _to_name(written: str | None) -> dict[str, str] | None:
    """A person's name in the DICOM JSON model (PS3.18, section F.2.2)."""
    groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), (written or "").split("="), strict=False))
    return {name: group for name, group in groups.items() if group} or None
