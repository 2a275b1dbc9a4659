"""Registering archives, and what the list of them shows."""

from datetime import date, datetime
from typing import Annotated

from cryptography.x509 import load_pem_x509_certificates
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from core.api import Received, Shown
from records.pacs.service import NewArchive

Code = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Uid = Annotated[str, StringConstraints(pattern=r"^[0-9.]{1,64}$")]


def _check_certificates(text: str) -> str:
    try:
        load_pem_x509_certificates(text.encode())
    except ValueError:
        raise ValueError("must be one or more X.509 certificates as PEM") from None
    return text


class ArchiveHospitalPath(BaseModel):
    hospital_code: Code


class ImageArchiveReceived(Received):
    base_url: str = Field(
        max_length=500,
        description="where its DICOMweb begins: https://host[:port]/path; redirects are not followed",
    )
    username: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        pattern=r"^[^:\x00-\x1f]+$",
        description="for Basic authentication; without it the secret goes as a bearer token",
    )
    secret: str = Field(
        min_length=8, max_length=4096, pattern=r"^[!-~]+$", description="password or token; never shown"
    )
    first_day: date = Field(ge=date(1970, 1, 1), description="studies made from this day on are indexed")
    authority: Annotated[str, AfterValidator(_check_certificates)] | None = Field(
        None,
        max_length=16_384,
        description="the hospital's own certificate authority (X.509, PEM), trusted beside the public ones",
    )

    def to_archive(self) -> NewArchive:
        """As the service takes it."""
        return NewArchive(self.base_url, self.username, self.secret, self.first_day, self.authority)


class ImageArchiveForm(ImageArchiveReceived):
    hospital_code: Code


class ImageArchiveShown(Shown):
    hospital_code: str
    hospital_name: str
    base_url: str
    username: str | None
    has_authority: bool = Field(description="a certificate authority of the hospital's own is trusted for it")
    is_enabled: bool
    first_day: date
    searched_on: date | None = Field(description="up to this day of study the index is filled")
    reached_at: datetime | None = Field(description="when it last answered the search")
    registered_at: datetime


class ImageArchives(Shown):
    archives: list[ImageArchiveShown]


class ArchiveStudyReceived(Received):
    study_instance_uid: Uid = Field(description="of the study that is new in the archive, or has changed there")
