"""A hospital's port for images, as it comes in and goes out."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from accounts.administration.schemas import Code, PortCertificateShown
from accounts.service.dicom_ports import DicomPort
from core.api import Received, Shown

# An AE title (PS3.5, section 6.2): spaces at its ends mean nothing, so it has none.
AeTitle = Annotated[str, StringConstraints(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$")]
HostName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.:-]{1,253}$")]


class DicomPortReceived(Received):
    port: int = Field(ge=1024, le=65535)
    called_ae_title: AeTitle = Field(description="what the hospital's systems call the platform")
    calling_ae_titles: list[AeTitle] = Field(
        min_length=1, max_length=20, description="what those systems call themselves; nobody else is let in"
    )
    reply_host: HostName | None = Field(
        None, description="where storage commitments are answered; left out: on the association that asked"
    )
    reply_port: int | None = Field(None, ge=1, le=65535)

    @model_validator(mode="after")
    def _check_reply(self) -> "DicomPortReceived":
        if (self.reply_host is None) != (self.reply_port is None):
            raise ValueError("reply_host and reply_port are given together or not at all")
        return self

    def to_port(self) -> DicomPort:
        """As the service takes it."""
        reply = (self.reply_host, self.reply_port) if self.reply_host and self.reply_port else None
        return DicomPort(self.port, self.called_ae_title, tuple(self.calling_ae_titles), reply)


class DicomPortChosen(DicomPortReceived):
    hospital_code: Code


class DicomPortShown(Shown):
    hospital_id: UUID
    hospital_code: str
    hospital_name: str
    port: int
    called_ae_title: str
    calling_ae_titles: list[str]
    reply_host: str | None
    reply_port: int | None
    is_enabled: bool
    certificates: list[PortCertificateShown] = Field(description="none: the port speaks without TLS")


class DicomPorts(Shown):
    ports: list[DicomPortShown]
