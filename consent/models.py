"""Grants: what a patient allows others to see. Hidden and restricted items: what not everybody else sees."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Purpose(StrEnum):
    """Why somebody looks. Stands in every row of the access log."""

    OWN = "own"
    GUARDIAN = "guardian"
    FAMILY = "family"
    TREATMENT = "treatment"
    CONSULTATION = "consultation"
    INSURANCE = "insurance"
    SHARING = "sharing"
    EMERGENCY = "emergency"
    APP = "app"


class OpenedBy(StrEnum):
    """How a grant came to be: a code shown at a desk, a request that was answered, the patient by himself, a share
    link, or a doctor in an emergency.
    """

    CODE = "code"
    REQUEST = "request"
    PATIENT = "patient"
    LINK = "link"
    BREAK_GLASS = "break_glass"


class ItemKind(StrEnum):
    """What a grant can be confined to: the categories of reports and entries. Studies are imaging, visits are
    encounters.
    """

    LABORATORY = "laboratory"
    IMAGING = "imaging"
    OTHER = "other"
    ALLERGY = "allergy"
    CONDITION = "condition"
    DOCUMENT = "document"
    ENCOUNTER = "encounter"
    IMMUNIZATION = "immunization"
    MEDICATION = "medication"
    ORDER = "order"
    PROCEDURE = "procedure"
    SPECIMEN = "specimen"


ITEM_KINDS = tuple(kind.value for kind in ItemKind)


class Scoped:
    """What is shared, and with which department, as a row of ``grants`` or ``access_requests`` says it.

    Everything but what is sensitive, unless a column narrows it: ``kinds``; ``visit_ids`` and ``item_ids``;
    ``since_on`` and ``until_on``, both included (the item's day in Asia/Shanghai). ``sensitivities`` names the
    sensitive kinds that belong to it.
    """

    department: Mapped[str | None]
    kinds: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    sensitivities: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    visit_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    item_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    since_on: Mapped[date | None]
    until_on: Mapped[date | None]
    may_download: Mapped[bool] = mapped_column(server_default=text("true"))


def scope_checks() -> tuple[CheckConstraint, ...]:
    """What the database refuses of a table that is ``Scoped``."""
    return (
        CheckConstraint("department ~ '^[0-9A-Z]{4}$'", name="department"),
        CheckConstraint(
            f"kinds <@ ARRAY[{', '.join(repr(kind) for kind in ITEM_KINDS)}] AND cardinality(kinds) > 0", name="kinds"
        ),
        CheckConstraint(
            "sensitivities <@ ARRAY['hiv', 'psychiatric', 'reproductive', 'genetic']", name="sensitivities"
        ),
        CheckConstraint("cardinality(visit_ids) > 0", name="visit_ids"),
        CheckConstraint("cardinality(item_ids) > 0", name="item_ids"),
        CheckConstraint("until_on >= since_on", name="days"),
    )


class Grant(Scoped, WithId, Base):
    """Somebody may see one person's records for one purpose, until it expires, is revoked or used up.

    The recipient is a hospital, a department of it or one of its staff; or who holds a share link.

    ``visit_id`` names the visit whose code opened it (a row of records, above us: no foreign key). A visit has one such
    grant that is not revoked. ``uses_left``: how many rows the access log may still get under it; None: any number.
    ``notice_hash``: SHA-256, in hexadecimal digits, of what the patient was shown when he agreed.
    ``version`` rises with every change of what it says, so that an access row says under which wording it was allowed.
    """

    __tablename__ = "grants"
    __table_args__ = (
        CheckConstraint(
            "purpose IN ('treatment', 'consultation', 'insurance', 'sharing', 'emergency')", name="purpose"
        ),
        CheckConstraint("opened_by IN ('code', 'request', 'patient', 'link', 'break_glass')", name="opened_by"),
        CheckConstraint("expires_at > starts_at", name="period"),
        CheckConstraint("(hospital_id IS NULL) = (link_id IS NOT NULL)", name="recipient"),
        CheckConstraint("hospital_id IS NOT NULL OR (department IS NULL AND staff_id IS NULL)", name="within_hospital"),
        CheckConstraint("(opened_by = 'request') = (request_id IS NOT NULL)", name="request"),
        CheckConstraint("(opened_by = 'break_glass') = (purpose = 'emergency')", name="emergency"),
        CheckConstraint("opened_by <> 'break_glass' OR staff_id IS NOT NULL", name="emergency_person"),
        *scope_checks(),
        CheckConstraint("uses_left >= 0", name="uses_left"),
        CheckConstraint("notice_hash ~ '^[0-9a-f]{64}$'", name="notice_hash"),
        Index(
            "uq_grants_visit",
            "visit_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL AND opened_by = 'code'"),
        ),
        Index("ix_grants_person_id", "person_id", text("starts_at DESC")),
        Index(
            "ix_grants_in_force", "hospital_id", "person_id", "expires_at", postgresql_where=text("revoked_at IS NULL")
        ),
        Index("uq_grants_request_id", "request_id", unique=True, postgresql_where=text("request_id IS NOT NULL")),
        # Grants run out nearly in the order in which they are written.
        Index("ix_grants_expires_at", "expires_at", postgresql_using="brin"),
        Index("ix_grants_link_id", "link_id", postgresql_where=text("link_id IS NOT NULL")),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    link_id: Mapped[UUID | None]
    purpose: Mapped[str]
    opened_by: Mapped[str] = mapped_column(server_default=OpenedBy.CODE)
    visit_id: Mapped[UUID | None]
    request_id: Mapped[UUID | None] = mapped_column(ForeignKey("access_requests.id"))
    uses_left: Mapped[int | None]
    notice_hash: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class GrantVersion(Base):
    """What a grant said in one version: its columns, but for the uses that are left. Written by a trigger of the
    database at every change, and never changed.
    """

    __tablename__ = "grant_versions"

    grant_id: Mapped[UUID] = mapped_column(ForeignKey("grants.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    said: Mapped[dict[str, Any]]


class Sensitivity(StrEnum):
    """What an item is about, that not everybody who sees the rest learns of."""

    HIV = "hiv"
    PSYCHIATRIC = "psychiatric"
    REPRODUCTIVE = "reproductive"
    GENETIC = "genetic"


class HiddenItem(WithId, Base):
    """A report, study or entry that only the person himself sees, and not who acts for him, until it is shown again.

    ``object_kind``: report, study or entry. ``object_id`` is a row of records, above us: no foreign key.
    ``person_id``: the record that the item stands under.
    """

    __tablename__ = "hidden_items"
    __table_args__ = (
        CheckConstraint("object_kind IN ('report', 'study', 'entry')", name="object_kind"),
        CheckConstraint("shown_at >= hidden_at", name="period"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    object_kind: Mapped[str]
    object_id: Mapped[UUID] = mapped_column(unique=True)
    hidden_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    hidden_at: Mapped[datetime]
    shown_at: Mapped[datetime | None]


class RestrictedItem(Base):
    """An item that is sensitive, or that its patient does not see yet, or both. Most items have no such row.

    ``object_id`` is a row of records, above us: no foreign key. ``hospital_id``: the house that made it. ``is_held``:
    nobody sees it as the patient before ``opens_at`` (None: no time opens it) or ``released_at``. ``disclosed_at``:
    the patient lets every hospital that treats him see it although it is sensitive.
    """

    __tablename__ = "restricted_items"
    __table_args__ = (
        CheckConstraint("object_kind IN ('report', 'study', 'entry')", name="object_kind"),
        CheckConstraint("sensitivity IN ('hiv', 'psychiatric', 'reproductive', 'genetic')", name="sensitivity"),
        CheckConstraint("sensitivity IS NOT NULL OR is_held", name="reason"),
        CheckConstraint("is_held OR (opens_at IS NULL AND released_at IS NULL)", name="held"),
        CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="released"),
        CheckConstraint("disclosed_at IS NULL OR sensitivity IS NOT NULL", name="disclosed"),
        Index(
            "ix_restricted_items_held",
            "hospital_id",
            text("restricted_at DESC"),
            text("object_id DESC"),
            postgresql_where=text("is_held AND released_at IS NULL"),
        ),
    )

    object_id: Mapped[UUID] = mapped_column(primary_key=True)
    object_kind: Mapped[str]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    sensitivity: Mapped[str | None]
    is_held: Mapped[bool]
    opens_at: Mapped[datetime | None]
    restricted_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    released_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    disclosed_at: Mapped[datetime | None]
