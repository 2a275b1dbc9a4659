"""What those who act are called, for showing beside what they did."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, exists, select
from sqlalchemy.orm import Session

from accounts.apps.models import App
from accounts.models import DicomEndpoint, Hospital, MachineClient, MllpEndpoint, StaffMember
from accounts.service.hospitals import HospitalCard, list_hospitals
from core.actor import ActorKind


@dataclass(frozen=True)
class Practitioner:
    """Somebody who works at a hospital, as others may know him. ``role``: of ``Role``, one at a hospital."""

    id: UUID
    name: str
    role: str
    hospital: HospitalCard
    is_active: bool


def list_practitioners(
    session: Session, *, hospital_id: UUID | None = None, ids: Collection[UUID] | None = None, limit: int
) -> list[Practitioner]:
    """Who works, or worked, at hospitals, by name.

    :param hospital_id: at this one only. ``ids``: these only.
    """
    asked = select(StaffMember).where(StaffMember.hospital_id.is_not(None))
    if hospital_id is not None:
        asked = asked.where(StaffMember.hospital_id == hospital_id)
    if ids is not None:
        asked = asked.where(StaffMember.id.in_(ids))
    found = session.scalars(asked.order_by(StaffMember.name, StaffMember.id).limit(limit)).all()
    hospitals = list_hospitals(session, {one.hospital_id for one in found if one.hospital_id})
    return [
        Practitioner(one.id, one.name, one.role, hospitals[one.hospital_id], one.is_enabled)
        for one in found
        if one.hospital_id
    ]


def describe_actors(session: Session, actors: set[tuple[str, UUID]]) -> dict[UUID, str]:
    """Names by actor id: staff by name, systems and apps by theirs, patients and the platform by kind."""
    ids = {kind: {actor_id for found, actor_id in actors if found == kind} for kind in ActorKind}
    staff = select(StaffMember.id, StaffMember.name).where(StaffMember.id.in_(ids[ActorKind.STAFF]))
    machines = select(MachineClient.id, MachineClient.name).where(MachineClient.id.in_(ids[ActorKind.MACHINE]))
    apps = select(App.id, App.name).where(App.id.in_(ids[ActorKind.APP]))
    # What speaks at a hospital's port acts under the id of the port's row, which is its hospital's.
    has_messages = exists().where(MllpEndpoint.hospital_id == Hospital.id)
    has_images = exists().where(DicomEndpoint.hospital_id == Hospital.id)
    kind = case((has_messages & has_images, " HL7 或影像接口"), (has_images, " 影像接口"), else_=" HL7 接口")
    endpoints = select(Hospital.id, Hospital.name.concat(kind).label("name")).where(
        Hospital.id.in_(ids[ActorKind.MACHINE]), has_messages | has_images
    )
    names = {row.id: row.name for question in (staff, machines, apps, endpoints) for row in session.execute(question)}
    names.update(dict.fromkeys(ids[ActorKind.PATIENT], "本人"))
    names.update(dict.fromkeys(ids[ActorKind.SYSTEM], "平台"))
    return names
