"""Persons with details of one's own choice, and the operator who looks at them."""

import itertools
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from werkzeug.test import TestResponse

from accounts.models import Role
from core import clock, db
from core.actor import Actor
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate, check_character
from health_card.matching import jobs
from health_card.matching import service as matching
from health_card.matching.models import MatchCandidate
from health_card.models import ApplyChannel, Assurance, Holder, Person, PersonCertificate
from health_card.service.ages import LifeStage, life_stage
from health_card.service.identities import find_or_create_person
from health_card.service.persons import find_or_issue_card
from tests.support.city import City, Patient, bearer, resident_id

_PASSPORTS = itertools.count()


def new_phone() -> str:
    """A number of nobody else: tests that commit leave their persons behind."""
    return f"199{secrets.randbelow(10**8):08d}"


def new_passport() -> str:
    """A number of nobody else, and none that is nearly another's: each digit stands there twice."""
    return "E" + "".join(digit * 2 for digit in f"{next(_PASSPORTS):04d}")


def slip(number: str, place: int = 14) -> str:
    """A resident ID number with one digit typed wrong, and a check character that hides it."""
    first = number[:place] + str((int(number[place]) + 2) % 10) + number[place + 1 : 17]
    return first + check_character(first)


@dataclass(frozen=True)
class Pair:
    """Two records, and the pair of them before the operator."""

    city: City
    one: Patient
    other: Patient

    def look(self) -> None:
        """The worker looks at both."""
        jobs.look_at_persons([self.one.person_id, self.other.person_id])

    def found(self) -> MatchCandidate | None:
        first, second = sorted((self.one.person_id, self.other.person_id))
        with db.snapshot() as session:
            return session.scalars(select(MatchCandidate).filter_by(first_id=first, second_id=second)).one_or_none()

    def look_and_find(self) -> MatchCandidate:
        self.look()
        found = self.found()
        assert found is not None
        return found

    def roots(self) -> tuple[UUID, UUID]:
        with db.snapshot() as session:
            return (
                session.get_one(Person, self.one.person_id).root_id,
                session.get_one(Person, self.other.person_id).root_id,
            )

    def is_one_person(self) -> bool:
        return len(set(self.roots())) == 1


@dataclass(frozen=True)
class Office:
    """The operator, through the interface."""

    city: City
    token: str
    actor: Actor

    @classmethod
    def open(cls, city: City) -> "Office":
        staff = city.staff(None, Role.OPERATOR, "测试运营")
        return cls(city, staff.token, staff.actor)

    def get(self, path: str) -> TestResponse:
        return self.city.client.get(f"/api/v1/operator{path}", headers=bearer(self.token))

    def post(self, path: str, **body: Any) -> TestResponse:
        return self.city.client.post(f"/api/v1/operator{path}", json=body, headers=bearer(self.token))

    def delete(self, path: str) -> TestResponse:
        return self.city.client.delete(f"/api/v1/operator{path}", headers=bearer(self.token))

    def merge(self, absorbed: Patient, standing: Patient) -> UUID:
        """Through the service; returns the link's id."""
        with db.transaction() as session:
            link = matching.merge_persons(
                session,
                self.actor,
                from_id=absorbed.person_id,
                into_id=standing.person_id,
                reason="测试合并",
                override=True,
            )
        return link.id

    def unmerge(self, link_id: UUID) -> None:
        with db.transaction() as session:
            matching.unmerge_persons(session, self.actor, link_id=link_id, reason="测试撤销")


def register(
    city: City,
    *,
    name: str = "钱甲乙",
    phone: str | None = None,
    kind: CertificateType = CertificateType.RESIDENT_ID,
    number: str | None = None,
    token: str | None = None,
    **details: Any,
) -> Patient:
    """A registered patient; ``details``: sex and birth_date where the number does not tell them."""
    token, refresh_token = (token, "") if token else city.login()
    actor, phone, number = city.actor(token), phone or new_phone(), number or resident_id()
    said = health_card.Details(name=name, phone=phone, certificate=check_certificate(kind, number), **details)
    with db.transaction() as session:
        if life_stage(health_card.check_details(said).birth_date) is LifeStage.CHILD:
            # A child is nobody's self: as a window registers it.
            person, _ = find_or_create_person(session, health_card.check_details(said))
            card = find_or_issue_card(session, person, ApplyChannel.WINDOW)
        else:
            card = health_card.register_person(session, actor, details=said).card
    return Patient(token, refresh_token, actor, card.person_id, card.id, card.number, number, name, phone)


def see_documents(*patients: Patient) -> None:
    """A desk has seen the documents."""
    with db.transaction() as session:
        for patient in patients:
            session.get_one(Person, patient.person_id).assurance = Assurance.DOCUMENT.value


def make_ward(guardian: Patient, ward: Patient, *, has_certificate: bool = True) -> None:
    """The guardian's login holds the record as a child's, and nobody else does."""
    with db.transaction() as session:
        for holder in session.scalars(select(Holder).filter_by(person_id=ward.person_id)):
            session.delete(holder)
        if not has_certificate:
            for certificate in session.scalars(select(PersonCertificate).filter_by(person_id=ward.person_id)):
                session.delete(certificate)
        now = clock.now()
        session.add(
            Holder(
                login_id=guardian.actor.id,
                person_id=ward.person_id,
                relation="child",
                created_at=now,
                confirmed_at=now,
            )
        )
