"""Addresses, search keys and picture parameters of DICOMweb."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, WithJsonSchema

from core.api import Described, Received

Uid = Annotated[str, StringConstraints(pattern=r"^[0-9.]{1,64}$")]
_Count = Annotated[str, WithJsonSchema({"type": "integer", "minimum": 0})]
_Flag = Annotated[str, WithJsonSchema({"type": "boolean"})]


class StudyPath(Received):
    study: Uid


class SeriesPath(StudyPath):
    series: Uid


class InstancePath(SeriesPath):
    instance: Uid


class FramesPath(InstancePath):
    frames: str = Field(
        pattern=r"^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*$",
        max_length=8192,
        description="numbers of frames with commas between them; they count from 1",
    )


class FramePath(InstancePath):
    frame: int = Field(ge=1, le=2**31 - 1)


class BulkPath(InstancePath):
    attribute: str = Field(
        pattern=r"^[0-9A-F]{8}(\.[1-9][0-9]{0,5}\.[0-9A-F]{8}){0,16}$",
        description="tag of an attribute; within a sequence: its tag, number of the item, tag",
    )


class Asked(Described):
    """Query parameters that the protocol reads by itself, so that a refusal can be the standard's (400)."""

    model_config = ConfigDict(extra="allow")

    accept: str | None = Field(None, description="as the Accept header, and before it")


class StudyQuery(Asked):
    """Keys are keywords or tags. A key that is not named here is refused, never ignored."""

    StudyInstanceUID: str | None = Field(None, description="one or several, with commas between them")
    StudyDate: str | None = Field(None, description="YYYYMMDD or a range, in the city's time")
    StudyTime: str | None = Field(None, description="HHMMSS or shorter, or a range, in the city's time")
    AccessionNumber: str | None = Field(None, description="whole, or with the wildcards * and ?")
    ModalitiesInStudy: str | None = Field(None, description="one of the study's modalities; wildcards * and ?")
    StudyDescription: str | None = Field(None, description="whole, or with the wildcards * and ?")
    StudyID: str | None = Field(None, description="whole, or with the wildcards * and ?")
    ReferringPhysicianName: str | None = Field(
        None,
        description="whole, or one of the ways in which it is written; wildcards * and ?",
    )
    PatientID: str | None = Field(None, description="number of a health card; for staff also of their own hospital")
    limit: _Count | None = Field(None, description="at most 1,000; 100 when left out")
    offset: _Count | None = None
    fuzzymatching: _Flag | None = Field(None, description="not done; true is answered with a Warning header")
    includefield: list[str] = Field(
        [], description="keywords, tags or `all`; at the level of instances all that the file says can come"
    )


class SeriesQuery(StudyQuery):
    """As for studies; and of series:"""

    SeriesInstanceUID: str | None = Field(None, description="one or several, with commas between them")
    Modality: str | None = Field(None, description="whole, or with the wildcards * and ?")
    SeriesNumber: str | None = None
    SeriesDescription: str | None = Field(None, description="whole, or with the wildcards * and ?")
    BodyPartExamined: str | None = Field(None, description="whole, or with the wildcards * and ?")
    PerformedProcedureStepStartDate: str | None = Field(None, description="as StudyDate")
    PerformedProcedureStepStartTime: str | None = Field(None, description="as StudyTime")
    scheduled_procedure_step_id: str | None = Field(
        None,
        alias="RequestAttributesSequence.ScheduledProcedureStepID",
        description="of one of the requests; whole, or with the wildcards * and ?",
    )
    requested_procedure_id: str | None = Field(
        None,
        alias="RequestAttributesSequence.RequestedProcedureID",
        description="of one of the requests; whole, or with the wildcards * and ?",
    )


class InstanceQuery(SeriesQuery):
    """As for series; and of instances:"""

    SOPInstanceUID: str | None = Field(None, description="one or several, with commas between them")
    SOPClassUID: str | None = Field(None, description="one or several, with commas between them")
    InstanceNumber: str | None = None


class PictureQuery(Asked):
    """How a picture is made (PS3.18, section 8.3.5)."""

    viewport: str | None = Field(
        None, description="width,height that it must fit into; then x,y,width,height of the part of the image"
    )
    window: str | None = Field(None, description="center,width,function (linear, linear-exact or sigmoid)")
    quality: _Count | None = Field(None, description="of JPEG, 1 to 100; 85 when left out")
    annotation: str | None = Field(None, description="not made here, refused")
