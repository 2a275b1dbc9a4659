"""QIDO-RS, Search Transaction (PS3.18, section 10.6): views as data sets. Persons are not named in them."""

from core import clock
from records.dicomweb.model import Dataset, to_dataset
from records.images.service import InstanceView, SeriesView, StudyView


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
        StudyInstanceUID=study.study_instance_uid,
        NumberOfStudyRelatedSeries=study.series_count,
        NumberOfStudyRelatedInstances=study.instance_count,
        RetrieveURL=f"{base_url}/dicomweb/studies/{study.study_instance_uid}",
    )


def to_series(series: SeriesView, study_uid: str, base_url: str) -> Dataset:
    """Table 10.6.3-4."""
    return to_dataset(
        Modality=series.modality,
        SeriesDescription=series.description,
        BodyPartExamined=series.body_part,
        StudyInstanceUID=study_uid,
        SeriesInstanceUID=series.series_instance_uid,
        SeriesNumber=series.number,
        NumberOfSeriesRelatedInstances=series.instance_count,
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
        AvailableTransferSyntaxUID=instance.transfer_syntax_uid,
        RetrieveURL=f"{base}/instances/{instance.sop_instance_uid}",
    )
