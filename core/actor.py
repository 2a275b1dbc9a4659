"""Who asks: passed to every service function."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    PATIENT = "patient"
    STAFF = "staff"
    MACHINE = "machine"
    APP = "app"
    LINK = "link"
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    """The one who asks.

    :ivar id: login, staff member, machine client, app, or the share link that is held; the nil UUID for the platform
        itself.
    :ivar permissions: ``package:thing:verb`` each.
    :ivar hospital_id: the house that staff and machines act for.
    :ivar session_id: the sign-in that this request came through; of an app, the authorization.
    :ivar on_behalf_of: the login that let an app in.
    :ivar scopes: what an app was let in for, in the words of its protocol.
    :ivar department: where a staff member works (standard 4-digit code); None: nobody has said.
    """

    kind: ActorKind
    id: UUID
    permissions: frozenset[str]
    hospital_id: UUID | None = None
    session_id: UUID | None = None
    on_behalf_of: UUID | None = None
    scopes: tuple[str, ...] = ()
    department: str | None = None

    def can(self, permission: str) -> bool:
        """Whether the actor holds the permission."""
        return permission in self.permissions

    @property
    def house_id(self) -> UUID:
        """The hospital of staff or a machine; asking a patient for it is a mistake of ours."""
        if self.hospital_id is None:
            raise RuntimeError(f"{self.kind} acts for no hospital")
        return self.hospital_id


SYSTEM = Actor(kind=ActorKind.SYSTEM, id=UUID(int=0), permissions=frozenset())
