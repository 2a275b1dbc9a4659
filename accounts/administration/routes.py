"""The machine interface of the administration: hospitals, terminals, staff, systems, the audit trail."""

from flask import Response

from accounts.administration.schemas import (
    AuditLineShown,
    AuditPage,
    AuditQuery,
    BranchChange,
    BranchPath,
    BranchShown,
    ClientChange,
    ClientPath,
    Clients,
    ClientShown,
    Created,
    DepartmentChange,
    DepartmentPath,
    DepartmentShown,
    EnrolmentCodeShown,
    FlagPath,
    Flags,
    FlagShown,
    HospitalChange,
    HospitalDetails,
    HospitalPath,
    Hospitals,
    HospitalSearch,
    HospitalShown,
    KeySet,
    NewAdministrator,
    NewBranch,
    NewClient,
    NewDepartment,
    NewHospital,
    NewStaff,
    NewTerminal,
    OneTimePasswordShown,
    StaffChange,
    StaffList,
    StaffNamingChosen,
    StaffPath,
    StaffPostingReceived,
    StaffShown,
    TerminalChange,
    TerminalPath,
    TerminalShown,
)
from accounts.administration.wording import audit_filter
from accounts.models import Role, StaffNaming
from accounts.service import branches, clients, hospitals, oversight, personnel, postings, terminal_keys, terminals
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("administration", tag="Administration 平台管理", url_prefix="/api/v1/operator")

AUDIT_LINES = 100


@api.get("/hospitals", responses={200: Hospitals})
@requires("accounts:hospital:manage")
def list_hospitals(query: HospitalSearch) -> Response:
    """Hospitals by code, a page at a time"""
    with db.snapshot() as session:
        found = hospitals.search_hospitals(session, text=query.text, after=query.after, limit=query.limit)
    return present(Hospitals(hospitals=[HospitalShown.model_validate(each) for each in found]))


@api.post("/hospitals", responses={201: Created})
@requires("accounts:hospital:manage")
def register_hospital(body: NewHospital) -> Response:
    """Admit a hospital"""
    with db.transaction() as session:
        return present(Created(id=hospitals.register_hospital(session, current_actor(), **dict(body))), 201)


@api.get("/hospitals/<uuid:hospital_id>", responses={200: HospitalDetails})
@requires("accounts:hospital:manage")
def get_hospital(path: HospitalPath) -> Response:
    """A hospital with its branches, departments and terminals"""
    with db.snapshot() as session:
        hospital = hospitals.get_hospital_file(session, path.hospital_id)
        details = HospitalDetails(
            **HospitalShown.model_validate(hospital).model_dump(),
            branches=[BranchShown.model_validate(each) for each in branches.list_branches(session, hospital.id)],
            departments=[
                DepartmentShown.model_validate(each) for each in branches.list_department_files(session, hospital.id)
            ],
            terminals=[
                TerminalShown.model_validate(each) for each in terminals.list_terminal_files(session, hospital.id)
            ],
        )
    return present(details)


@api.put("/hospitals/<uuid:hospital_id>", responses={204: None})
@requires("accounts:hospital:manage")
def change_hospital(path: HospitalPath, body: HospitalChange) -> Response:
    """Put a hospital's facts in place of the earlier ones; switched off, its staff and systems are out at once"""
    with db.transaction() as session:
        hospitals.change_hospital(session, current_actor(), path.hospital_id, **dict(body))
    return Response(status=204)


@api.put("/hospitals/<uuid:hospital_id>/staff-naming", responses={204: None})
@requires("accounts:hospital:manage")
def choose_staff_naming(path: HospitalPath, body: StaffNamingChosen) -> Response:
    """Say how patients are told who of a hospital's staff looked"""
    with db.transaction() as session:
        naming = StaffNaming(body.staff_naming)
        hospitals.choose_staff_naming(session, current_actor(), path.hospital_id, naming=naming)
    return Response(status=204)


@api.post("/hospitals/<uuid:hospital_id>/branches", responses={201: Created})
@requires("accounts:hospital:manage")
def add_branch(path: HospitalPath, body: NewBranch) -> Response:
    """Add a branch (院区)"""
    with db.transaction() as session:
        return present(Created(id=branches.add_branch(session, current_actor(), path.hospital_id, **dict(body))), 201)


@api.put("/hospitals/<uuid:hospital_id>/branches/<uuid:branch_id>", responses={204: None})
@requires("accounts:hospital:manage")
def change_branch(path: BranchPath, body: BranchChange) -> Response:
    """Put a branch's facts in place of the earlier ones"""
    with db.transaction() as session:
        branches.change_branch(session, current_actor(), path.hospital_id, path.branch_id, **dict(body))
    return Response(status=204)


@api.post("/hospitals/<uuid:hospital_id>/departments", responses={201: Created})
@requires("accounts:hospital:manage")
def add_department(path: HospitalPath, body: NewDepartment) -> Response:
    """Add a department: the standard code and the hospital's own name"""
    with db.transaction() as session:
        added = branches.add_department(session, current_actor(), path.hospital_id, **dict(body))
    return present(Created(id=added), 201)


@api.put("/hospitals/<uuid:hospital_id>/departments/<uuid:department_id>", responses={204: None})
@requires("accounts:hospital:manage")
def change_department(path: DepartmentPath, body: DepartmentChange) -> Response:
    """Rename a department, or switch it on or off"""
    with db.transaction() as session:
        branches.change_department(session, current_actor(), path.hospital_id, path.department_id, **dict(body))
    return Response(status=204)


@api.post("/hospitals/<uuid:hospital_id>/terminals", responses={201: Created})
@requires("accounts:terminal:manage")
def enrol_terminal(path: HospitalPath, body: NewTerminal) -> Response:
    """Enrol a terminal; its key comes later, with an enrolment code"""
    with db.transaction() as session:
        added = terminals.enrol_terminal(session, current_actor(), hospital_id=path.hospital_id, **dict(body))
    return present(Created(id=added), 201)


@api.put("/terminals/<uuid:terminal_id>", responses={204: None})
@requires("accounts:terminal:manage")
def change_terminal(path: TerminalPath, body: TerminalChange) -> Response:
    """Move a terminal to another branch, or switch it on or off"""
    with db.transaction() as session:
        terminals.change_terminal(session, current_actor(), path.terminal_id, **dict(body))
    return Response(status=204)


@api.post("/terminals/<uuid:terminal_id>/enrolment-codes", responses={201: EnrolmentCodeShown})
@requires("accounts:terminal:manage")
def issue_enrolment_code(path: TerminalPath) -> Response:
    """A code for the terminal to bring its key with: 10 minutes, once; it ends the one before"""
    with db.transaction() as session:
        issued = terminal_keys.issue_enrolment_code(session, current_actor(), path.terminal_id)
    return present(EnrolmentCodeShown.model_validate(issued), 201)


@api.delete("/terminals/<uuid:terminal_id>/key", responses={204: None})
@requires("accounts:terminal:manage")
def revoke_terminal_key(path: TerminalPath) -> Response:
    """End a terminal's key at once"""
    with db.transaction() as session:
        terminal_keys.revoke_terminal_key(session, current_actor(), path.terminal_id)
    return Response(status=204)


@api.get("/terminal-flags", responses={200: Flags})
@requires("accounts:terminal:manage")
def list_flags() -> Response:
    """What is said against terminals and waits to be looked into, oldest first"""
    with db.snapshot() as session:
        found = terminals.list_open_flags(session)
    return present(Flags(flags=[FlagShown.model_validate(each) for each in found]))


@api.post("/terminal-flags/<uuid:flag_id>/clear", responses={204: None})
@requires("accounts:terminal:manage")
def clear_flag(path: FlagPath) -> Response:
    """It was looked into"""
    with db.transaction() as session:
        terminals.clear_flag(session, current_actor(), path.flag_id)
    return Response(status=204)


@api.get("/hospitals/<uuid:hospital_id>/staff", responses={200: StaffList})
@requires("accounts:staff:manage")
def list_staff(path: HospitalPath) -> Response:
    """A hospital's staff accounts"""
    with db.snapshot() as session:
        hospital = hospitals.get_hospital_file(session, path.hospital_id)
        found = personnel.list_staff(session, hospital_id=hospital.id)
    return present(StaffList(staff=[StaffShown.model_validate(each) for each in found]))


@api.post("/hospitals/<uuid:hospital_id>/staff", responses={201: OneTimePasswordShown})
@requires("accounts:staff:manage")
def open_staff_account(path: HospitalPath, body: NewStaff) -> Response:
    """An account for a registrar or doctor, with a password for once"""
    with db.transaction() as session:
        opened = personnel.open_staff_account(
            session,
            current_actor(),
            hospital_id=path.hospital_id,
            username=body.username,
            name=body.name,
            role=Role(body.role),
            department=body.department,
        )
    return present(OneTimePasswordShown.model_validate(opened), 201)


@api.put("/staff/<uuid:staff_id>/department", responses={204: None})
@requires("accounts:staff:manage")
def post_staff(path: StaffPath, body: StaffPostingReceived) -> Response:
    """Say in which department somebody of a hospital works from now on"""
    with db.transaction() as session:
        postings.post_staff(session, current_actor(), path.staff_id, department=body.department)
    return Response(status=204)


@api.put("/staff/<uuid:staff_id>", responses={204: None})
@requires("accounts:staff:manage")
def switch_staff(path: StaffPath, body: StaffChange) -> Response:
    """Switch a hospital's staff account on or off"""
    with db.transaction() as session:
        personnel.switch_staff(session, current_actor(), path.staff_id, of_platform=False, is_enabled=body.is_enabled)
    return Response(status=204)


@api.post("/staff/<uuid:staff_id>/one-time-passwords", responses={201: OneTimePasswordShown})
@requires("accounts:staff:manage")
def reset_staff_password(path: StaffPath) -> Response:
    """A new password for once for a hospital's staff account; its sessions end"""
    with db.transaction() as session:
        reset = personnel.reset_password(session, current_actor(), path.staff_id, of_platform=False)
    return present(OneTimePasswordShown.model_validate(reset), 201)


@api.get("/administrators", responses={200: StaffList})
@requires("accounts:administrator:manage")
def list_administrators() -> Response:
    """The accounts of the platform itself"""
    with db.snapshot() as session:
        found = personnel.list_staff(session, hospital_id=None)
    return present(StaffList(staff=[StaffShown.model_validate(each) for each in found]))


@api.post("/administrators", responses={201: OneTimePasswordShown})
@requires("accounts:administrator:manage")
def appoint_administrator(body: NewAdministrator) -> Response:
    """An account for an operator, a security administrator or an audit administrator"""
    with db.transaction() as session:
        opened = personnel.appoint_administrator(
            session,
            current_actor(),
            username=body.username,
            name=body.name,
            role=Role(body.role),
            employee_number=body.employee_number,
        )
    return present(OneTimePasswordShown.model_validate(opened), 201)


@api.put("/administrators/<uuid:staff_id>", responses={204: None})
@requires("accounts:administrator:manage")
def switch_administrator(path: StaffPath, body: StaffChange) -> Response:
    """Switch an account of the platform itself on or off"""
    with db.transaction() as session:
        personnel.switch_staff(session, current_actor(), path.staff_id, of_platform=True, is_enabled=body.is_enabled)
    return Response(status=204)


@api.post("/administrators/<uuid:staff_id>/one-time-passwords", responses={201: OneTimePasswordShown})
@requires("accounts:administrator:manage")
def reset_administrator_password(path: StaffPath) -> Response:
    """A new password for once for an account of the platform itself; its sessions end"""
    with db.transaction() as session:
        reset = personnel.reset_password(session, current_actor(), path.staff_id, of_platform=True)
    return present(OneTimePasswordShown.model_validate(reset), 201)


@api.get("/clients", responses={200: Clients})
@requires("accounts:client:manage")
def list_clients() -> Response:
    """Hospital systems that may sign in"""
    with db.snapshot() as session:
        found = clients.list_clients(session)
    return present(Clients(clients=[ClientShown.model_validate(each) for each in found]))


@api.post("/clients", responses={201: Created})
@requires("accounts:client:manage")
def register_client(body: NewClient) -> Response:
    """Register a hospital system with its public keys"""
    with db.transaction() as session:
        added = clients.register_client(
            session,
            current_actor(),
            hospital_id=hospitals.find_hospital_id(session, body.hospital_code),
            client_id=body.client_id,
            name=body.name,
            jwks=body.jwks,
            scopes=body.scopes,
        )
    return present(Created(id=added), 201)


@api.put("/clients/<uuid:id>", responses={204: None})
@requires("accounts:client:manage")
def change_client(path: ClientPath, body: ClientChange) -> Response:
    """Put a system's name, scopes and state in place of the earlier ones"""
    with db.transaction() as session:
        clients.change_client(session, current_actor(), path.id, **dict(body))
    return Response(status=204)


@api.put("/clients/<uuid:id>/jwks", responses={204: None})
@requires("accounts:client:manage")
def replace_client_keys(path: ClientPath, body: KeySet) -> Response:
    """Put a new key set in place of the earlier one"""
    with db.transaction() as session:
        clients.replace_client_keys(session, current_actor(), path.id, jwks=body.jwks)
    return Response(status=204)


@api.get("/audit-entries", responses={200: AuditPage})
@requires("accounts:audit:read")
def list_audit_entries(query: AuditQuery) -> Response:
    """The audit trail, newest first; reading it is audited too"""
    with db.transaction() as session:
        found = oversight.list_audit_entries(
            session, current_actor(), wanted=audit_filter(query), before=query.before, limit=AUDIT_LINES
        )
    return present(AuditPage(entries=[AuditLineShown.model_validate(each) for each in found]))
