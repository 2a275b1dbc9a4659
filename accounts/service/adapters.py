"""Hospital systems that prove themselves to an adapter, which keeps their secret, instead of signing in with a key."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Hospital, MachineClient, Terminal
from core import audit, clock
from core.actor import Actor


def register_adapter_client(session: Session, actor: Actor, *, hospital_id: UUID, client_id: str, name: str) -> UUID:
    """A machine client without any key or scope: it acts under its own name, and never gets a token at /oauth/token."""
    client = MachineClient(
        client_id=client_id, hospital_id=hospital_id, name=name, jwks={"keys": []}, scopes=[], created_at=clock.now()
    )
    session.add(client)
    session.flush()
    audit.record_act(session, actor, "accounts.client.registered", of=("machine_client", client.id))
    return client.id


def find_client_house(session: Session, client_row_id: UUID) -> UUID | None:
    """The hospital that the client acts for now; None when either is switched off."""
    return session.scalar(
        select(MachineClient.hospital_id)
        .join(Hospital, Hospital.id == MachineClient.hospital_id)
        .where(MachineClient.id == client_row_id)
        .where(MachineClient.is_enabled.is_(True), Hospital.is_enabled.is_(True))
    )


def list_terminal_ids(session: Session, actor: Actor) -> list[UUID]:
    """Every terminal that the actor's hospital ever enrolled."""
    return list(session.scalars(select(Terminal.id).where(Terminal.hospital_id == actor.house_id)))
