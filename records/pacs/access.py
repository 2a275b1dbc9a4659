"""What a call to a hospital's archive needs to know."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True)
class ArchiveAccess:
    """How an archive is reached. Without ``username`` the secret is a bearer token. ``authority``: PEM, if any."""

    hospital_id: UUID
    base_url: str
    username: str | None
    secret: str = field(repr=False)
    revision: UUID
    authority: str | None = None

    @property
    def hospital(self) -> str:
        """As logs name it."""
        return str(self.hospital_id)
