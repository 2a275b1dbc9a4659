"""In which department somebody of a hospital works, and where he worked before."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.departments import DEPARTMENTS
from accounts.models import StaffMember, StaffPosting
from accounts.refusals import DepartmentCodeUnknown, DepartmentNotHere, StaffNotFound
from accounts.service.branches import list_house_departments
from core import audit, clock
from core.actor import Actor


def post_staff(session: Session, actor: Actor, staff_id: UUID, *, department: str | None) -> None:
    """Say in which department somebody of a hospital works from now on. Saying it again changes nothing.

    What he looked at before stays a look from where he worked then.

    :param department: of 医疗机构诊疗科目名录, 4 digits; None: of none.
    :raises StaffNotFound: nobody of a hospital.
    :raises DepartmentCodeUnknown: not in the national list.
    :raises DepartmentNotHere: the hospital has departments of its own, and this is none of them.
    """
    member = session.get(StaffMember, staff_id, with_for_update={"key_share": True}, populate_existing=True)
    if member is None or member.hospital_id is None:
        raise StaffNotFound
    if member.department == department:
        return
    if department is not None:
        if department not in DEPARTMENTS:
            raise DepartmentCodeUnknown
        if department not in (here := list_house_departments(session, member.hospital_id)):
            raise DepartmentNotHere(departments=list(here))
    member.department = department
    session.add(StaffPosting(staff_id=staff_id, department=department, since=clock.now()))
    session.flush()
    facts = {"department": department}
    audit.record_act(session, actor, "accounts.staff.posted", of=("staff_member", staff_id), facts=facts)


def find_departments(session: Session, looks: Collection[tuple[UUID, datetime]]) -> dict[tuple[UUID, datetime], str]:
    """Where staff worked at these times, as standard codes; who worked in no department is left out."""
    named = {staff_id for staff_id, _ in looks}
    # Newest first: the first one that is not younger than the look was in force.
    postings = session.execute(
        select(StaffPosting.staff_id, StaffPosting.since, StaffPosting.department)
        .where(StaffPosting.staff_id.in_(named))
        .order_by(StaffPosting.since.desc(), StaffPosting.id.desc())
    ).all()
    found = {}
    for staff_id, at in looks:
        then = next((row.department for row in postings if row.staff_id == staff_id and row.since <= at), None)
        if then is not None:
            found[staff_id, at] = then
    return found
