"""Hospitals and everybody who can sign in."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.types import Text

from core.db import Base, WithId


class StaffNaming(StrEnum):
    """What patients are told of who looked: the name, the surname with the role, or the role alone."""

    FULL = "full"
    SURNAME = "surname"
    ROLE = "role"


class Hospital(WithId, Base):
    """A medical institution. ``code`` is its organisation code, as hospitals write it in messages (MSH-4).
    ``level`` is the national grade 1 to 3, 0 for a house that was not graded.

    ``requires_terminal_keys``: its desks scan nothing from a terminal that has no key of its own. ``staff_naming``:
    how patients are told who of its staff looked.
    """

    __tablename__ = "hospitals"
    __table_args__ = (
        CheckConstraint("level BETWEEN 0 AND 3", name="level"),
        CheckConstraint("staff_naming IN ('full', 'surname', 'role')", name="staff_naming"),
    )

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    level: Mapped[int]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    requires_terminal_keys: Mapped[bool] = mapped_column(default=False)
    staff_naming: Mapped[str] = mapped_column(server_default=StaffNaming.FULL)
    created_at: Mapped[datetime]


class Branch(WithId, Base):
    """A campus (院区) of a hospital. ``code`` is the hospital's own."""

    __tablename__ = "branches"
    # The pair with the hospital is there to be referred to: what belongs to a branch belongs to its hospital.
    __table_args__ = (UniqueConstraint("hospital_id", "code"), UniqueConstraint("hospital_id", "id"))

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    code: Mapped[str]
    name: Mapped[str]
    address: Mapped[str]
    is_enabled: Mapped[bool] = mapped_column(default=True)


class Department(WithId, Base):
    """A department: the standard 4-digit code, and what the hospital calls it. No branch: of the whole house."""

    __tablename__ = "departments"
    __table_args__ = (
        UniqueConstraint("hospital_id", "branch_id", "code", postgresql_nulls_not_distinct=True),
        ForeignKeyConstraint(["hospital_id", "branch_id"], ["branches.hospital_id", "branches.id"]),
        CheckConstraint("code ~ '^[0-9]{4}$'", name="code"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    branch_id: Mapped[UUID | None]
    code: Mapped[str]
    name: Mapped[str]
    is_enabled: Mapped[bool] = mapped_column(default=True)


class Terminal(WithId, Base):
    """A place in a hospital where codes are scanned. ``kind``: 01 manned window, 02 kiosk, 99 other.

    ``locked_until``: too many codes were refused there; until then none is read.
    """

    __tablename__ = "terminals"
    __table_args__ = (
        UniqueConstraint("hospital_id", "code"),
        ForeignKeyConstraint(["hospital_id", "branch_id"], ["branches.hospital_id", "branches.id"]),
        CheckConstraint("kind IN ('01', '02', '99')", name="kind"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    branch_id: Mapped[UUID | None]
    code: Mapped[str]
    kind: Mapped[str]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    locked_until: Mapped[datetime | None]


class TerminalEnrolment(WithId, Base):
    """A code with which a terminal brings its key, once and soon. Only the code's blind index is kept."""

    __tablename__ = "terminal_enrolments"
    __table_args__ = (Index("ix_terminal_enrolments_terminal_id", "terminal_id"),)

    terminal_id: Mapped[UUID] = mapped_column(ForeignKey("terminals.id"))
    code_index: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class TerminalKey(WithId, Base):
    """The public key of a terminal (RFC 7517). One at a time; ``thumbprint`` is that of RFC 7638."""

    __tablename__ = "terminal_keys"
    __table_args__ = (
        Index("uq_terminal_keys_in_force", "terminal_id", unique=True, postgresql_where=text("revoked_at IS NULL")),
        Index("uq_terminal_keys_thumbprint", "thumbprint", unique=True, postgresql_where=text("revoked_at IS NULL")),
    )

    terminal_id: Mapped[UUID] = mapped_column(ForeignKey("terminals.id"))
    jwk: Mapped[dict[str, Any]]
    thumbprint: Mapped[str]
    enrolled_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class SpentProof(Base):
    """A terminal's proof that was accepted: its ``jti`` is never accepted again (RFC 9449, section 11.1)."""

    __tablename__ = "spent_proofs"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("terminal_keys.id"), primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]


class TerminalFlag(WithId, Base):
    """Something is wrong at this terminal, says a patient or the platform. It stands until the operator clears it."""

    __tablename__ = "terminal_flags"
    __table_args__ = (
        Index("ix_terminal_flags_open", "terminal_id", "flagged_at", postgresql_where=text("cleared_at IS NULL")),
    )

    terminal_id: Mapped[UUID] = mapped_column(ForeignKey("terminals.id"))
    reason: Mapped[str]
    flagged_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    cleared_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))


class Role(StrEnum):
    REGISTRAR = "registrar"
    DOCTOR = "doctor"
    OPERATOR = "operator"
    SECURITY_ADMINISTRATOR = "security_administrator"
    AUDIT_ADMINISTRATOR = "audit_administrator"
    QUALITY_OFFICER = "quality_officer"
    MEDICAL_AFFAIRS = "medical_affairs"

    @property
    def is_of_hospital(self) -> bool:
        """Whether it is a role at a hospital; the others work for the platform and exclude each other."""
        return self in {Role.REGISTRAR, Role.DOCTOR, Role.MEDICAL_AFFAIRS}


_OF_HOSPITAL = f"role IN ({', '.join(repr(role.value) for role in Role if role.is_of_hospital)})"


class StaffMember(WithId, Base):
    """Somebody who works at a hospital, or for the platform itself (no hospital).

    Of the platform's roles a living person holds one at most: ``employee_index``, the blind index of the employee
    number, says who is the same person. ``department``: where somebody of a hospital works now, as its standard code;
    ``StaffPosting`` says where he worked when. ``password_expires_at`` is set while the password is one that somebody
    else gave: it opens nothing but the change of itself.
    """

    __tablename__ = "staff_members"
    __table_args__ = (
        CheckConstraint(f"role IN ({', '.join(repr(role.value) for role in Role)})", name="role"),
        CheckConstraint(f"({_OF_HOSPITAL}) = (hospital_id IS NOT NULL)", name="hospital"),
        CheckConstraint(f"({_OF_HOSPITAL}) = (employee_index IS NULL)", name="employee"),
        CheckConstraint(
            "department IS NULL OR (department ~ '^[0-9]{4}$' AND hospital_id IS NOT NULL)", name="department"
        ),
        Index(
            "uq_staff_members_employee_index",
            "employee_index",
            unique=True,
            postgresql_where=text("is_enabled AND employee_index IS NOT NULL"),
        ),
    )

    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    username: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    department: Mapped[str | None]
    employee_index: Mapped[bytes | None]
    password_hash: Mapped[str]
    password_expires_at: Mapped[datetime | None]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class StaffPosting(WithId, Base):
    """From then on somebody worked in this department (None: nobody says in which). Insert-only: what a patient reads
    of a look says where its doctor worked at that time.
    """

    __tablename__ = "staff_postings"
    __table_args__ = (
        CheckConstraint("department ~ '^[0-9]{4}$'", name="department"),
        Index("ix_staff_postings_staff_id", "staff_id", text("since DESC"), text("id DESC")),
    )

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    department: Mapped[str | None]
    since: Mapped[datetime]


class StaffSession(WithId, Base):
    """One sign-in of a staff member. The token itself is not kept, only its hash."""

    __tablename__ = "staff_sessions"

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Login(WithId, Base):
    """A WeChat account. It is not a person: health_card ties it to one."""

    __tablename__ = "logins"
    __table_args__ = (UniqueConstraint("app_id", "openid"),)

    app_id: Mapped[str]
    openid: Mapped[str]
    unionid: Mapped[str | None]
    created_at: Mapped[datetime]


class LoginSession(WithId, Base):
    """One sign-in of a login: the family of its refresh tokens. Ended once, for all of them."""

    __tablename__ = "login_sessions"

    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class RefreshToken(WithId, Base):
    """One refresh token: good for one use. Using it again ends its family."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_session_id", "session_id"),)

    session_id: Mapped[UUID] = mapped_column(ForeignKey("login_sessions.id"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class MachineClient(WithId, Base):
    """A system of a hospital (HIS, LIS, PACS, billing) with its own registered public keys (RFC 7517)."""

    __tablename__ = "machine_clients"

    client_id: Mapped[str] = mapped_column(unique=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    name: Mapped[str]
    jwks: Mapped[dict[str, Any]]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    is_enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class SpentAssertion(Base):
    """A client assertion that was accepted: its ``jti`` is never accepted again (RFC 7523, section 3, item 7)."""

    __tablename__ = "spent_assertions"

    client_id: Mapped[UUID] = mapped_column(ForeignKey("machine_clients.id"), primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Port(Base):
    """Where one hospital's systems send something of one kind: the port says whose it is."""

    __abstract__ = True

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), primary_key=True)
    port: Mapped[int] = mapped_column(unique=True)
    is_enabled: Mapped[bool] = mapped_column(default=True)


class PortCertificate(Base):
    """A certificate by which a hospital's system proves itself at its port. A port that has one speaks TLS only.

    ``fingerprint``: SHA-256 of ``certificate`` (X.509, DER). A port may have several, so that one can be renewed.
    """

    __abstract__ = True

    hospital_id: Mapped[UUID]
    fingerprint: Mapped[bytes] = mapped_column(primary_key=True)
    certificate: Mapped[bytes]
    trusted_at: Mapped[datetime]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[CheckConstraint, ...]:
        return (CheckConstraint("octet_length(fingerprint) = 32", name="fingerprint"),)


class MllpEndpoint(Port):
    """The port on which one hospital's HL7 v2 messages arrive."""

    __tablename__ = "mllp_endpoints"


class MllpCertificate(PortCertificate):
    """Of a system that sends HL7 v2 messages."""

    __tablename__ = "mllp_certificates"

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("mllp_endpoints.hospital_id"), primary_key=True)


class DicomEndpoint(Port):
    """The port on which one hospital's images arrive by DIMSE (PS3.7, PS3.8).

    ``called_ae_title``: what the platform is called there. ``calling_ae_titles``: the systems that may speak.
    ``reply_host`` and ``reply_port``: where a storage commitment is answered; without them, on the association that
    asked for it.
    """

    __tablename__ = "dicom_endpoints"
    __table_args__ = (
        CheckConstraint("cardinality(calling_ae_titles) BETWEEN 1 AND 20", name="calling_ae_titles"),
        CheckConstraint("(reply_host IS NULL) = (reply_port IS NULL)", name="reply"),
    )

    called_ae_title: Mapped[str]
    calling_ae_titles: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    reply_host: Mapped[str | None]
    reply_port: Mapped[int | None]


class DicomCertificate(PortCertificate):
    """Of a PACS."""

    __tablename__ = "dicom_certificates"

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("dicom_endpoints.hospital_id"), primary_key=True)
