"""What hospital systems send and see of their numbers."""

from datetime import datetime

from pydantic import Field, model_validator

from core.api import Received, Shown


class NumberPath(Received):
    number: str = Field(min_length=1, max_length=32, description="this hospital's own patient number")


class NumberBinding(Received):
    card_number: str | None = Field(None, pattern=r"^[0-9A-Fa-f]{64}$", description="of the electronic health card")
    certificate_type: str | None = Field(None, pattern=r"^[0-9]{2,3}$", description="WS 364.3 CV02.01.101")
    certificate_number: str | None = Field(None, min_length=4, max_length=32)

    @model_validator(mode="after")
    def _names_a_person(self) -> "NumberBinding":
        if (self.certificate_type is None) != (self.certificate_number is None):
            raise ValueError("certificate_type and certificate_number come together")
        if self.card_number is None and self.certificate_number is None:
            raise ValueError("send card_number, or certificate_type and certificate_number, or all three")
        return self

    @property
    def certificate(self) -> tuple[str, str] | None:
        """Type and number."""
        if self.certificate_type is None or self.certificate_number is None:
            return None
        return self.certificate_type, self.certificate_number


class NumberMerging(Received):
    retired: str = Field(min_length=1, max_length=32, description="the number that was merged into the other")
    surviving: str = Field(min_length=1, max_length=32, description="the number that stands for both")

    @model_validator(mode="after")
    def _are_two(self) -> "NumberMerging":
        if self.retired == self.surviving:
            raise ValueError("retired and surviving are the same number")
        return self


class NumberShown(Shown):
    number: str
    current_number: str = Field(description="the one that counts now for the same person; another one after a merge")
    bound_at: datetime
