"""What the family part takes in and gives out."""

from datetime import date, datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from core.api import Received, Shown
from health_card.certificates import Certificate, CertificateType, check_certificate
from health_card.family.models import InvitationKind, Proof, RefusalReason
from health_card.family.service import Accepted, ActingForMe, DeskHolder, Member, NewbornDetails, Visitor
from health_card.models import Relation
from health_card.schemas import Certified
from health_card.service.identities import PHONE_SHAPE

RelativeKind = Literal[Relation.CHILD, Relation.WARD, Relation.SPOUSE, Relation.PARENT, Relation.OTHER]
GuardianKind = Literal[Relation.CHILD, Relation.WARD]

_RELATION = "what the person is to this login"
_NAME = r"^[^\x00-\x1f<>]+$"


class Relative(Certified):
    relation: RelativeKind = Field(description=_RELATION)
    phone: str = Field("", pattern=rf"{PHONE_SHAPE}|^$", description="this login's own when left out")


class NewbornApplication(Received):
    name: str = Field(min_length=1, max_length=50, pattern=_NAME, description="may be provisional, as 张三之子")
    sex: Literal["male", "female", "unknown"]
    birth_date: date = Field(description="within the last year")
    born_at: AwareDatetime | None = Field(None, description="the moment of birth, with its zone")
    birth_order: int = Field(1, ge=1, le=9, description="of twins: 1 for the first ...")
    relation: GuardianKind = Field(Relation.CHILD, description=_RELATION)
    mother_certificate_type: CertificateType = CertificateType.RESIDENT_ID
    mother_certificate_number: str = Field(min_length=4, max_length=32)
    mother_country: str = Field("", pattern=r"^([A-Z]{3})?$", description="of a foreign passport: ISO 3166-1 alpha-3")

    def as_details(self) -> NewbornDetails:
        """:raises CertificateInvalid: the mother's number cannot be one of its type."""
        return NewbornDetails(
            name=self.name,
            sex=self.sex,
            birth_date=self.birth_date,
            birth_order=self.birth_order,
            mother=check_certificate(self.mother_certificate_type, self.mother_certificate_number, self.mother_country),
            born_at=self.born_at,
        )


class HolderPath(Received):
    holder_id: UUID


class MemberShown(Shown):
    holder_id: UUID
    person_id: UUID
    name: str = Field(description="masked")
    relation: Relation = Field(description=_RELATION)
    is_self: bool
    holder: Literal["confirmed", "awaiting_desk"] = Field(
        description="awaiting_desk: a desk must check the proof, or the person or guardian accept an invitation"
    )
    is_proven: bool = Field(description="a desk has checked the proof")
    valid_until: datetime | None = Field(description="acting ends by itself then; absent: no age ends it")

    @classmethod
    def of(cls, member: Member) -> "MemberShown":
        return cls(
            holder_id=member.holder_id,
            person_id=member.person_id,
            name=member.name,
            relation=member.relation,
            is_self=member.relation is Relation.SELF,
            holder=_state(member.is_confirmed),
            is_proven=member.is_proven,
            valid_until=member.valid_until,
        )


class ActingForMeShown(Shown):
    holder_id: UUID
    name: str | None = Field(description="masked; absent when that login is nobody any more")
    relation: Relation = Field(description="what I am to that login")
    holder: Literal["confirmed", "awaiting_desk"]
    since: datetime
    valid_until: datetime | None

    @classmethod
    def of(cls, acting: ActingForMe) -> "ActingForMeShown":
        return cls(
            holder_id=acting.holder_id,
            name=acting.name,
            relation=acting.relation,
            holder=_state(acting.is_confirmed),
            since=acting.since,
            valid_until=acting.valid_until,
        )


class FamilyShown(Shown):
    members: list[MemberShown] = Field(description="whom this login acts for, or waits to; itself first")
    acting_for_me: list[ActingForMeShown] = Field(description="other logins that act for this login's own person")
    limit: int = Field(description="how many persons a login may hold, itself included")


class InvitationRequest(Received):
    kind: Literal[InvitationKind.CONSENT, InvitationKind.GUARDIAN] = Field(
        description="consent: who accepts lets this login act for him; guardian: who accepts becomes the child's second"
    )
    relation: RelativeKind = Field(description="what the person will be to the login that acts")
    holder_id: UUID | None = Field(None, description="guardian only: this login's holder of the child")

    @model_validator(mode="after")
    def _names_the_child(self) -> "InvitationRequest":
        if (self.kind is InvitationKind.GUARDIAN) != (self.holder_id is not None):
            raise ValueError("holder_id names the child of a guardian's invitation, and only of that")
        return self


class HandOver(Received):
    relation: GuardianKind = Field(Relation.CHILD, description="what the child is to the one who takes over")


class InvitedShown(Shown):
    invitation_id: UUID
    code: str = Field(description="to be passed on; shown this once")
    expires_at: datetime


class InvitationPath(Received):
    invitation_id: UUID


class OpenInvitationShown(Shown):
    invitation_id: UUID
    kind: InvitationKind
    relation: Relation = Field(description="what the person will be to the login that acts")
    person_name: str | None = Field(description="the child, masked; absent: it is about whoever accepts")
    created_at: datetime
    expires_at: datetime


class OpenInvitationList(Shown):
    invitations: list[OpenInvitationShown]


class InvitationCode(Received):
    code: str = Field(min_length=20, max_length=100)


class InvitationShown(Shown):
    kind: InvitationKind
    relation: Relation
    inviter_name: str | None = Field(description="masked")
    person_name: str | None = Field(description="the child, masked; absent: it is about whoever accepts")
    expires_at: datetime


class AcceptedShown(Shown):
    kind: InvitationKind
    holder_id: UUID
    relation: Relation
    holder: Literal["confirmed", "awaiting_desk"]
    valid_until: datetime | None

    @classmethod
    def of(cls, accepted: Accepted) -> "AcceptedShown":
        return cls(
            kind=accepted.kind,
            holder_id=accepted.holder_id,
            relation=accepted.relation,
            holder=_state(accepted.is_confirmed),
            valid_until=accepted.valid_until,
        )


class VisitorNamed(Received):
    """The one who stands at the desk: by his document, or by what he confirmed on his phone."""

    certificate_type: CertificateType | None = Field(None, description="of his document, as read")
    certificate_number: str | None = Field(None, min_length=4, max_length=32)
    country: str = Field("", pattern=r"^([A-Z]{3})?$")
    look_up_id: UUID | None = Field(
        None, description="instead of a document: of POST /api/v1/desk/visits/{visit_id}/confirmed-look-ups"
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        has_document = self.certificate_type is not None and self.certificate_number is not None
        has_part = self.certificate_type is not None or self.certificate_number is not None
        if has_document == (self.look_up_id is not None) or has_part != has_document:
            raise ValueError("send either certificate_type and certificate_number, or look_up_id")
        return self

    def as_visitor(self) -> Visitor:
        """:raises CertificateInvalid: the number cannot be one of its type."""
        if self.certificate_type is None or self.certificate_number is None:
            return Visitor(look_up_id=self.look_up_id)
        return Visitor(check_certificate(self.certificate_type, self.certificate_number, self.country))


class Confirmation(VisitorNamed):
    proof: Proof = Field(description="what was seen; phone: the person himself was identified by his own phone")
    person_was_present: bool = Field(False, description="the person himself is there and agrees; needed from 14 on")


class Refused(VisitorNamed):
    reason: RefusalReason


class OwnCertificate(VisitorNamed):
    child_certificate_type: Literal[CertificateType.RESIDENT_ID, CertificateType.BIRTH_CERTIFICATE]
    child_certificate_number: str = Field(min_length=4, max_length=32)
    child_name: str | None = Field(
        None, min_length=1, max_length=50, pattern=_NAME, description="as the certificate has it"
    )

    def as_certificate(self) -> Certificate:
        """:raises CertificateInvalid: the child's number cannot be one of its type."""
        return check_certificate(self.child_certificate_type, self.child_certificate_number)


class DeskPersonShown(Shown):
    name: str = Field(description="masked")
    sex: str
    birth_date: date | None
    age: int | None
    certificate_type: str | None
    certificate_number: str | None = Field(description="masked; absent: a newborn without one")


class DeskHolderShown(Shown):
    holder_id: UUID
    relation: Relation = Field(description="what the person is to the holder")
    person: DeskPersonShown
    holder_name: str | None = Field(description="whose login it is, masked")
    stage: str = Field(description="of the person: child (under 14), minor (14 to 17) or adult")
    holder: Literal["confirmed", "awaiting_desk"]
    is_proven: bool
    proofs: list[Proof] = Field(
        description="one is enough; empty: the document of the one who acts is needed, or has to be verified first"
    )
    needs_person: bool = Field(description="the person himself must be present and agree")
    awaits_certificate: bool = Field(description="a newborn that can be given its own number here")
    created_at: datetime
    valid_until: datetime | None

    @classmethod
    def of(cls, view: DeskHolder) -> "DeskHolderShown":
        person = {name: getattr(view.person, name) for name in DeskPersonShown.model_fields}
        return cls(
            holder_id=view.holder_id,
            relation=view.relation,
            person=DeskPersonShown(**person),
            holder_name=view.holder_name,
            stage=view.stage.value,
            holder=_state(view.is_confirmed),
            is_proven=view.is_proven,
            proofs=sorted(view.proofs),
            needs_person=view.needs_person,
            awaits_certificate=view.awaits_certificate,
            created_at=view.created_at,
            valid_until=view.valid_until,
        )


class DeskHolderList(Shown):
    holders: list[DeskHolderShown]


def _state(is_confirmed: bool) -> Literal["confirmed", "awaiting_desk"]:
    return "confirmed" if is_confirmed else "awaiting_desk"
