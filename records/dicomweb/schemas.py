"""Addresses and search keys of DICOMweb."""

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from core.api import Received
from records.images.dicom import read_date
from records.images.service import StudySearch

Uid = Annotated[str, StringConstraints(pattern=r"^[0-9.]{1,64}$")]


class StudyPath(Received):
    study: Uid


class SeriesPath(StudyPath):
    series: Uid


class InstancePath(SeriesPath):
    instance: Uid


class FramePath(InstancePath):
    frame: int = Field(ge=1, le=2**31 - 1)


def _check_range(text: str) -> str:
    if not re.fullmatch(r"\d{8}|\d{8}-(\d{8})?|-\d{8}", text) or None in {
        read_date(day) for day in text.split("-") if day
    }:
        raise ValueError("must be YYYYMMDD, YYYYMMDD-, -YYYYMMDD or YYYYMMDD-YYYYMMDD")
    return text


class PageQuery(Received):
    limit: int = Field(100, ge=1, le=1000)
    offset: int = Field(0, ge=0, le=1_000_000)
    includefield: list[str] = Field([], description="taken notice of by nobody: the same attributes come every time")


class StudyQuery(PageQuery):
    """Search keys of PS3.18, section 10.6.1.2. A key that is not named here is refused, never ignored."""

    model_config = ConfigDict(populate_by_name=False)

    study_instance_uid: Uid | None = Field(None, alias="StudyInstanceUID")
    accession_number: str | None = Field(None, alias="AccessionNumber", max_length=64)
    modality: str | None = Field(None, alias="ModalitiesInStudy", max_length=16)
    study_date: Annotated[str, AfterValidator(_check_range)] | None = Field(
        None, alias="StudyDate", description="YYYYMMDD or a range, in the city's time"
    )

    def to_search(self) -> StudySearch:
        """The search that the keys describe."""
        first, last = _read_range(self.study_date)
        return StudySearch(self.study_instance_uid, self.accession_number, self.modality, first, last)


def _read_range(text: str | None) -> tuple[date | None, date | None]:
    first, dash, last = (text or "").partition("-")
    return read_date(first), read_date(last if dash else first)
