"""A hospital's branches and departments."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.departments import DEPARTMENTS
from accounts.models import Branch, Department
from accounts.refusals import (
    BranchCodeTaken,
    BranchNotFound,
    DepartmentCodeTaken,
    DepartmentCodeUnknown,
    DepartmentNotFound,
    DepartmentNotHere,
)
from accounts.service.hospitals import load_hospital
from core import audit, statements
from core.actor import Actor

# Whether a house that has departments of its own lacks this one; a part of what every scan asks.
LACKS_DEPARTMENT = """
SELECT bool_and(d.code <> %(department)s)
FROM departments d LEFT JOIN branches b ON b.id = d.branch_id
WHERE d.hospital_id = %(hospital_id)s AND d.is_enabled AND b.is_enabled IS NOT FALSE
"""


@dataclass(frozen=True)
class BranchFile:
    """A branch as the operator looks after it."""

    id: UUID
    code: str
    name: str
    address: str
    is_enabled: bool


@dataclass(frozen=True)
class DepartmentFile:
    """A department as the operator looks after it. ``branch_id`` None: of the whole house."""

    id: UUID
    branch_id: UUID | None
    code: str
    name: str
    is_enabled: bool


def add_branch(session: Session, actor: Actor, hospital_id: UUID, *, code: str, name: str, address: str) -> UUID:
    """Add a branch to a hospital.

    :raises HospitalNotFound: no such hospital.
    :raises BranchCodeTaken: the hospital has a branch with this code.
    """
    load_hospital(session, hospital_id)
    branch_id = session.scalar(
        insert(Branch)
        .values(hospital_id=hospital_id, code=code, name=name, address=address)
        .on_conflict_do_nothing()
        .returning(Branch.id)
    )
    if branch_id is None:
        raise BranchCodeTaken
    audit.record_act(session, actor, "accounts.branch.added", of=("branch", branch_id))
    return branch_id


def change_branch(
    session: Session, actor: Actor, hospital_id: UUID, branch_id: UUID, *, name: str, address: str, is_enabled: bool
) -> None:
    """Put a branch's facts in place of the earlier ones. What is switched off is offered no more.

    :raises BranchNotFound: the hospital has no such branch.
    """
    branch = _load_branch(session, hospital_id, branch_id)
    branch.name, branch.address, branch.is_enabled = name, address, is_enabled
    audit.record_act(
        session, actor, "accounts.branch.changed", of=("branch", branch_id), facts={"is_enabled": is_enabled}
    )


def check_branch(session: Session, hospital_id: UUID, branch_id: UUID | None) -> None:
    """:raises BranchNotFound: a branch is named that the hospital does not have."""
    if branch_id is not None:
        _load_branch(session, hospital_id, branch_id)


def list_branches(session: Session, hospital_id: UUID) -> list[BranchFile]:
    """A hospital's branches by code."""
    rows = session.scalars(select(Branch).filter_by(hospital_id=hospital_id).order_by(Branch.code))
    return [BranchFile(row.id, row.code, row.name, row.address, row.is_enabled) for row in rows]


def add_department(
    session: Session, actor: Actor, hospital_id: UUID, *, branch_id: UUID | None, code: str, name: str
) -> UUID:
    """Add a department to a hospital or to one of its branches.

    :param code: of 医疗机构诊疗科目名录, 4 digits.
    :param name: what the hospital itself calls it.
    :raises HospitalNotFound: no such hospital.
    :raises BranchNotFound: it has no such branch.
    :raises DepartmentCodeUnknown: not in the national list.
    :raises DepartmentCodeTaken: there is a department with this code.
    """
    load_hospital(session, hospital_id)
    check_branch(session, hospital_id, branch_id)
    if code not in DEPARTMENTS:
        raise DepartmentCodeUnknown
    department_id = session.scalar(
        insert(Department)
        .values(hospital_id=hospital_id, branch_id=branch_id, code=code, name=name)
        .on_conflict_do_nothing()
        .returning(Department.id)
    )
    if department_id is None:
        raise DepartmentCodeTaken
    audit.record_act(
        session, actor, "accounts.department.added", of=("department", department_id), facts={"code": code}
    )
    return department_id


def change_department(
    session: Session, actor: Actor, hospital_id: UUID, department_id: UUID, *, name: str, is_enabled: bool
) -> None:
    """Rename a department, or switch it on or off. Its code and branch stay: visits name them.

    :raises DepartmentNotFound: the hospital has no such department.
    """
    department = session.scalars(select(Department).filter_by(id=department_id, hospital_id=hospital_id)).one_or_none()
    if department is None:
        raise DepartmentNotFound
    department.name, department.is_enabled = name, is_enabled
    audit.record_act(
        session,
        actor,
        "accounts.department.changed",
        of=("department", department_id),
        facts={"code": department.code, "is_enabled": is_enabled},
    )


def list_department_files(session: Session, hospital_id: UUID) -> list[DepartmentFile]:
    """A hospital's departments by code, those of the whole house first."""
    order = (Department.code, Department.branch_id.nulls_first())
    rows = session.scalars(select(Department).filter_by(hospital_id=hospital_id).order_by(*order))
    return [DepartmentFile(row.id, row.branch_id, row.code, row.name, row.is_enabled) for row in rows]


def list_departments(session: Session, actor: Actor) -> dict[str, str]:
    """What a desk of the actor's hospital may choose: see ``list_house_departments``."""
    return list_house_departments(session, actor.house_id)


def list_house_departments(session: Session, hospital_id: UUID) -> dict[str, str]:
    """A hospital's departments that are in use: standard code to the house's own name, by code.

    A hospital that has registered none has the whole national list.
    """
    rows = session.execute(
        select(Department.code, Department.name)
        .outerjoin(Branch, Branch.id == Department.branch_id)
        .where(Department.hospital_id == hospital_id, Department.is_enabled.is_(True))
        .where(Branch.is_enabled.isnot(False))
        .order_by(Department.code, Department.branch_id.nulls_first())
    )
    names: dict[str, list[str]] = {}
    for code, name in rows:
        names.setdefault(code, []).append(name)
    # Two branches may each have one under the same code; a visit names the code alone.
    return {code: "、".join(dict.fromkeys(found)) for code, found in names.items()} or DEPARTMENTS


def name_departments(session: Session, hospital_ids: set[UUID]) -> dict[UUID, dict[str, str]]:
    """What departments are called, by hospital and standard code: its own name where it has one."""
    rows = session.execute(
        select(Department.hospital_id, Department.code, Department.name)
        .where(Department.hospital_id.in_(hospital_ids))
        .order_by(Department.branch_id.nulls_first(), Department.id)
    )
    named = {hospital_id: dict(DEPARTMENTS) for hospital_id in hospital_ids}
    own: set[tuple[UUID, str]] = set()
    for hospital_id, code, name in rows.tuples():
        if (hospital_id, code) not in own:
            own.add((hospital_id, code))
            named[hospital_id][code] = name
    return named


def check_department(session: Session, actor: Actor, *, code: str) -> None:
    """Check that a desk of the actor's hospital may choose this department (``list_departments``).

    :param code: of the national list.
    :raises DepartmentNotHere: the hospital has departments of its own, and this is none of them.
    """
    row = statements.run(session, LACKS_DEPARTMENT, {"hospital_id": actor.house_id, "department": code})
    if row is not None and row[0]:
        raise refuse_department(session, actor)


def refuse_department(session: Session, actor: Actor) -> DepartmentNotHere:
    """The refusal of a department that the actor's hospital lacks, with those that it has."""
    return DepartmentNotHere(departments=list(list_departments(session, actor)))


def _load_branch(session: Session, hospital_id: UUID, branch_id: UUID) -> Branch:
    branch = session.scalars(select(Branch).filter_by(id=branch_id, hospital_id=hospital_id)).one_or_none()
    if branch is None:
        raise BranchNotFound
    return branch
