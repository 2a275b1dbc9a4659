"""What those who act are called, for showing beside what they did."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.apps.models import App
from accounts.models import Hospital, MachineClient, MllpEndpoint, StaffMember
from core.actor import ActorKind


def describe_actors(session: Session, actors: set[tuple[str, UUID]]) -> dict[UUID, str]:
    """Names by actor id: staff by name, systems and apps by theirs, patients and the platform by kind."""
    ids = {kind: {actor_id for found, actor_id in actors if found == kind} for kind in ActorKind}
    staff = select(StaffMember.id, StaffMember.name).where(StaffMember.id.in_(ids[ActorKind.STAFF]))
    machines = select(MachineClient.id, MachineClient.name).where(MachineClient.id.in_(ids[ActorKind.MACHINE]))
    apps = select(App.id, App.name).where(App.id.in_(ids[ActorKind.APP]))
    # An MLLP endpoint acts under the id of its row, which is its hospital's.
    endpoints = (
        select(Hospital.id, Hospital.name.concat(" HL7 接口").label("name"))
        .join(MllpEndpoint, MllpEndpoint.hospital_id == Hospital.id)
        .where(Hospital.id.in_(ids[ActorKind.MACHINE]))
    )
    names = {row.id: row.name for question in (staff, machines, apps, endpoints) for row in session.execute(question)}
    names.update(dict.fromkeys(ids[ActorKind.PATIENT], "本人"))
    names.update(dict.fromkeys(ids[ActorKind.SYSTEM], "平台"))
    return names
