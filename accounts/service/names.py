"""What those who act are called, for showing beside what they did."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, exists, select
from sqlalchemy.orm import Session

from accounts.apps.models import App
from accounts.models import DicomEndpoint, Hospital, MachineClient, MllpEndpoint, Role, StaffMember, StaffNaming
from accounts.service.hospitals import HospitalCard, list_hospitals
from core.actor import ActorKind

_TITLES = {Role.DOCTOR.value: "医生", Role.REGISTRAR.value: "登记员", Role.MEDICAL_AFFAIRS.value: "医务科工作人员"}
# Of two characters; with a name of two characters it is a surname of one.
_LONG_SURNAMES = (
    "欧阳 司马 上官 诸葛 司徒 东方 皇甫 尉迟 公孙 慕容 令狐 宇文 长孙 夏侯 轩辕 端木 百里 南宫 独孤 钟离 澹台 "
    "公冶 濮阳 申屠 太史 闻人 呼延 赫连 拓跋 完颜 纳兰 万俟 淳于 单于 仲孙 鲜于 闾丘 司空 左丘 东郭 西门 南门"
)


@dataclass(frozen=True)
class Practitioner:
    """Somebody who works at a hospital, as others may know him. ``role``: of ``Role``, one at a hospital."""

    id: UUID
    name: str
    role: str
    hospital: HospitalCard
    is_active: bool


def list_practitioners(
    session: Session,
    *,
    hospital_id: UUID | None = None,
    ids: Collection[UUID] | None = None,
    limit: int,
    as_patients_see: bool = False,
) -> list[Practitioner]:
    """Who works, or worked, at hospitals, by name.

    :param hospital_id: at this one only. ``ids``: these only.
    :param as_patients_see: named as the hospital tells its patients (``name_staff``).
    """
    asked = select(StaffMember).where(StaffMember.hospital_id.is_not(None))
    if hospital_id is not None:
        asked = asked.where(StaffMember.hospital_id == hospital_id)
    if ids is not None:
        asked = asked.where(StaffMember.id.in_(ids))
    found = session.scalars(asked.order_by(StaffMember.name, StaffMember.id).limit(limit)).all()
    hospitals = list_hospitals(session, {one.hospital_id for one in found if one.hospital_id})
    told = name_staff(session, {one.id for one in found}) if as_patients_see else {}
    return [
        Practitioner(
            one.id,
            told[one.id].name if one.id in told else one.name,
            one.role,
            hospitals[one.hospital_id],
            one.is_enabled,
        )
        for one in found
        if one.hospital_id
    ]


@dataclass(frozen=True)
class StaffName:
    """Somebody of a hospital as its patients are told of him (``StaffNaming``). ``role``: see ``Role``."""

    name: str
    role: str
    hospital_id: UUID


def name_staff(session: Session, ids: Collection[UUID]) -> dict[UUID, StaffName]:
    """What patients are told of who of a hospital's staff it was."""
    asked = (
        select(StaffMember.id, StaffMember.name, StaffMember.role, Hospital.id.label("hospital_id"))
        .add_columns(Hospital.staff_naming)
        .join(Hospital, Hospital.id == StaffMember.hospital_id)
        .where(StaffMember.id.in_(ids))
    )
    return {
        row.id: StaffName(_show_name(row.name, row.role, row.staff_naming), row.role, row.hospital_id)
        for row in session.execute(asked)
    }


def _show_name(name: str, role: str, naming: str) -> str:
    title = _TITLES.get(role, "工作人员")
    if naming == StaffNaming.FULL:
        return name
    if naming == StaffNaming.ROLE:
        return title
    return f"{name[: 2 if name[:2] in _LONG_SURNAMES.split() and len(name) > 2 else 1]}{title}"


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
