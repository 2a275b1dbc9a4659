"""What a protocol translates a resource into before it is filed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class Target:
    """The version that an update replaces, as its sender knows it.

    :ivar id: of the resource; None: of whichever has the identifier.
    """

    id: UUID | None
    version: int

    def is_of(self, resource_id: UUID) -> bool:
        """Whether this resource is the one that is meant."""
        return self.id in {None, resource_id}


@dataclass(frozen=True)
class IncomingEntry:
    """One entry as sent; the fields are those of ``models.RecordEntry``.

    :ivar content: the resource, without id, meta, narrative and subject.
    :ivar subject_element: where the reference to the person goes: ``subject`` or ``patient``.
    :ivar encounter_ids: encounters that it names by our ids; one of them may be a visit.
    :ivar full_url: by which others of the same message refer to it.
    :ivar target: set when it has to be the next version of exactly this one.
    :ivar keeps_existing: an entry with this identifier stays as it is (a conditional create).
    """

    resource_type: str
    identifier: tuple[str, str]
    status: str
    code: str | None
    code_system: str | None
    name: str
    occurred_at: datetime
    content: dict[str, Any]
    subject_element: str = "subject"
    encounter_ids: tuple[UUID, ...] = ()
    full_url: str | None = None
    target: Target | None = None
    keeps_existing: bool = False
