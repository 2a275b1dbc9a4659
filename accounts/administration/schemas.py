"""What the administration of the platform takes in and gives out."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from core.api import Received, Shown

# Codes stand in messages, in addresses and in texts that people read out.
Code = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,32}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Level = Annotated[int, Field(ge=0, le=3, description="national grade 1 to 3; 0: not graded")]
Username = Annotated[str, StringConstraints(pattern=r"^[0-9a-z][0-9a-z._-]{2,31}$")]

DepartmentCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]

Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))]


class HospitalPath(BaseModel):
    hospital_id: UUID


class BranchPath(HospitalPath):
    branch_id: UUID


class DepartmentPath(HospitalPath):
    department_id: UUID


class TerminalPath(BaseModel):
    terminal_id: UUID


class FlagPath(BaseModel):
    flag_id: UUID


class StaffPath(BaseModel):
    staff_id: UUID


class ClientPath(BaseModel):
    id: UUID


class Created(Shown):
    id: UUID


class HospitalSearch(Received):
    text: str = Field("", max_length=64, description="part of the code or the name")
    after: str = Field("", max_length=32, description="the code where the page before ended")
    limit: int = Field(50, ge=1, le=200)


class HospitalChange(Received):
    name: Name
    level: Level
    is_enabled: bool = Field(description="false: staff, systems and ports are out at once")
    requires_terminal_keys: bool = Field(description="desks scan only from terminals with a key of their own")


class NewHospital(Received):
    code: Code = Field(description="organisation code, as the hospital writes it in messages (MSH-4)")
    name: Name
    level: Level
    requires_terminal_keys: bool = Field(True, description="desks scan only from terminals with a key of their own")


class HospitalShown(Shown):
    id: UUID
    code: str
    name: str
    level: int
    is_enabled: bool
    requires_terminal_keys: bool
    staff_naming: str = Field(description="full, surname or role: what patients are told of who looked")
    created_at: datetime


class Hospitals(Shown):
    hospitals: list[HospitalShown]


class BranchChange(Received):
    name: Name
    address: str = Field("", max_length=128)
    is_enabled: bool


class NewBranch(Received):
    code: Code
    name: Name
    address: str = Field("", max_length=128)


class BranchShown(Shown):
    id: UUID
    code: str
    name: str
    address: str
    is_enabled: bool


class DepartmentChange(Received):
    name: Name
    is_enabled: bool


class NewDepartment(Received):
    branch_id: UUID | None = Field(None, description="none: of the whole house")
    code: str = Field(pattern=r"^[0-9]{4}$", description="of 医疗机构诊疗科目名录, for example 0304")
    name: Name = Field(description="what the hospital itself calls it")


class DepartmentShown(Shown):
    id: UUID
    branch_id: UUID | None
    code: str
    name: str
    is_enabled: bool


class TerminalChange(Received):
    branch_id: UUID | None = Field(None, description="none: of the whole house")
    is_enabled: bool


class NewTerminal(Received):
    branch_id: UUID | None = Field(None, description="none: of the whole house")
    code: Code
    kind: Literal["01", "02", "99"] = Field(description="01 manned window, 02 kiosk, 99 other")


class TerminalShown(Shown):
    id: UUID
    hospital_id: UUID
    branch_id: UUID | None
    code: str
    kind: str
    is_enabled: bool
    key_enrolled_at: datetime | None = Field(description="since when it has its key; none: it has none")
    open_flags: int


class EnrolmentCodeShown(Shown):
    code: str = Field(validation_alias="text", description="for POST /api/v1/terminals/enrol; once")
    expires_at: datetime


class FlagShown(Shown):
    id: UUID
    terminal_id: UUID
    terminal_code: str
    hospital_id: UUID
    hospital_name: str
    reason: str
    flagged_at: datetime


class Flags(Shown):
    flags: list[FlagShown]


class NewStaff(Received):
    username: Username = Field(description="lower-case letters, digits, dot, dash; 3 to 32")
    name: Name
    role: Literal["registrar", "doctor", "medical_affairs"] = Field(
        description="medical_affairs: the office that reviews emergency accesses and treats nobody"
    )
    department: DepartmentCode | None = Field(None, description="where he works; none: nobody says")


class NewAdministrator(Received):
    username: Username = Field(description="lower-case letters, digits, dot, dash; 3 to 32")
    name: Name
    role: Literal["operator", "security_administrator", "audit_administrator", "quality_officer"]
    employee_number: str = Field(
        min_length=1, max_length=64, description="of the person: one person holds one of these roles"
    )


class StaffChange(Received):
    is_enabled: bool = Field(description="false: the account's sessions end at once")


class StaffPostingReceived(Received):
    department: DepartmentCode | None = Field(
        None, description="of 医疗机构诊疗科目名录, one of the hospital's own where it has some; none: nobody says"
    )


class StaffNamingChosen(Received):
    staff_naming: Literal["full", "surname", "role"] = Field(
        description="what patients are told of who looked: the name, the surname with the role, or the role alone"
    )


class StaffShown(Shown):
    id: UUID
    hospital_id: UUID | None
    username: str
    name: str
    role: str
    department: str | None = Field(description="standard code of where somebody of a hospital works")
    is_enabled: bool
    password_expires_at: datetime | None = Field(description="set while the password is one that was handed out")
    created_at: datetime


class StaffList(Shown):
    staff: list[StaffShown]


class OneTimePasswordShown(Shown):
    staff_id: UUID
    username: str
    password: str = Field(validation_alias="text", description="shown this once; opens only its own change")
    expires_at: datetime


class HospitalDetails(HospitalShown):
    branches: list[BranchShown]
    departments: list[DepartmentShown]
    terminals: list[TerminalShown]


class KeySet(Received):
    jwks: dict[str, Any] = Field(description="a JWK Set (RFC 7517) of 1 to 10 public keys, each with kid and alg")


class NewClient(KeySet):
    hospital_code: Code
    client_id: str = Field(pattern=r"^[!-~]{3,64}$")
    name: Name
    scopes: list[str] = Field(min_length=1, max_length=20)


class ClientChange(Received):
    name: Name
    scopes: list[str] = Field(min_length=1, max_length=20)
    is_enabled: bool = Field(description="false: the client and its tokens are out at once")


class ClientShown(Shown):
    id: UUID
    client_id: str
    hospital_id: UUID
    hospital_name: str
    name: str
    kids: list[str]
    scopes: list[str]
    is_enabled: bool
    created_at: datetime


class Clients(Shown):
    clients: list[ClientShown]


class KeyRotation(Received):
    purpose: str = Field(pattern=r"^[a-z_]{1,40}$")


class KeyKill(Received):
    confirmation: str = Field(max_length=16, description="the kid, typed once more")


class MllpPortReceived(Received):
    port: int = Field(ge=1024, le=65535)


class MllpPortChosen(MllpPortReceived):
    hospital_code: Code


class PortCertificateReceived(Received):
    certificate: str = Field(max_length=16_384, description="X.509 as PEM, without its private key")


class PortCertificatePath(HospitalPath):
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256")


class PortCertificateShown(Shown):
    fingerprint: str = Field(description="SHA-256, 64 hexadecimal digits")
    subject: str
    valid_from: datetime
    valid_until: datetime
    trusted_at: datetime
    is_expired: bool


class MllpPortShown(Shown):
    hospital_id: UUID
    hospital_code: str
    hospital_name: str
    port: int
    is_enabled: bool
    certificates: list[PortCertificateShown] = Field(description="none: the port speaks without TLS")


class MllpPorts(Shown):
    ports: list[MllpPortShown]


class AuditQuery(Received):
    action: str | None = Field(None, pattern=r"^[a-z_.]{1,80}$", description="the beginning of the action")
    since: Day | None = Field(None, description="first day, in the city")
    until: Day | None = Field(None, description="last day, in the city")
    actor_id: UUID | None = None
    subject_id: UUID | None = None
    object_id: UUID | None = None
    before: UUID | None = Field(None, description="the id where the page before ended")


class AuditLineShown(Shown):
    id: UUID
    at: datetime
    request_id: str
    actor_kind: str
    actor_id: UUID
    hospital_id: UUID | None
    action: str
    subject_id: UUID | None
    object_kind: str | None
    object_id: UUID | None
    purpose: str | None
    basis_id: UUID | None
    basis_version: int | None
    facts: dict[str, Any]


class AuditPage(Shown):
    entries: list[AuditLineShown]
