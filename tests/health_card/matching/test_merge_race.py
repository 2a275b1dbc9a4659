"""Decisions about who is one person, at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from core import db
from core.errors import Refusal
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate
from health_card.matching import jobs
from health_card.matching.models import PersonLink
from health_card.models import Card, Person
from tests.health_card.matching.registry import Office, Pair, see_documents
from tests.health_card.matching.test_finding import household_book
from tests.support.city import City, Patient


def outcome(city: City, act: Callable[[], object]) -> str:
    with city.app.app_context():
        try:
            act()
        except Refusal as refusal:
            return refusal.code
        return "done"


def links_of(*patients: Patient) -> list[PersonLink]:
    with db.snapshot() as session:
        mine = PersonLink.from_id.in_([patient.person_id for patient in patients])
        return list(session.scalars(select(PersonLink).where(mine, PersonLink.undone_at.is_(None))))


def roots_of(patients: list[Patient]) -> set[object]:
    with db.snapshot() as session:
        ids = [patient.person_id for patient in patients]
        return set(session.scalars(select(Person.root_id).where(Person.id.in_(ids))))


def test_merges_in_a_ring_make_one_person_with_one_standing_record(committing_city: City) -> None:
    city, office = committing_city, Office.open(committing_city)
    ring = [city.patient() for _ in range(5)]
    pairs = list(zip(ring, ring[1:] + ring[:1], strict=True)) + list(zip(ring[1:] + ring[:1], ring, strict=True))
    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(lambda pair: outcome(city, lambda: office.merge(*pair)), pairs))
    assert sorted(outcomes) == ["done"] * 4 + ["health_card.already_one_person"] * 6
    assert len(roots_of(ring)) == 1
    links = links_of(*ring)
    assert len(links) == 4
    with ThreadPoolExecutor(8) as pool:
        undone = list(pool.map(lambda link: outcome(city, lambda: office.unmerge(link.id)), links + links))
    assert sorted(undone) == ["done"] * 4 + ["health_card.link_undone"] * 4
    assert roots_of(ring) == {patient.person_id for patient in ring}


def test_a_merge_against_registrations_of_both_makes_no_third(committing_city: City) -> None:
    city, office = committing_city, Office.open(committing_city)
    pair = Pair(city, city.patient(), city.patient())

    def register(patient: Patient) -> None:
        certificate = check_certificate(CertificateType.RESIDENT_ID, patient.certificate_number)
        with db.transaction() as session:
            details = health_card.Details(patient.name, patient.phone, certificate)
            done = health_card.register_person(session, patient.actor, details=details)
        assert (done.person_id, done.card.id) == (patient.person_id, patient.card_id)

    acts: list[Callable[[], object]] = [lambda: register(pair.one), lambda: register(pair.other)] * 4
    acts.insert(3, lambda: office.merge(pair.other, pair.one))
    with ThreadPoolExecutor(9) as pool:
        outcomes = list(pool.map(lambda act: outcome(city, act), acts))
    assert outcomes == ["done"] * 9
    assert pair.is_one_person()
    with db.snapshot() as session:
        ids = [pair.one.person_id, pair.other.person_id]
        assert session.scalar(select(func.count(Card.id)).where(Card.person_id.in_(ids))) == 2


def test_two_workers_looking_at_once_put_together_what_is_certain_once(committing_city: City) -> None:
    pair = household_book(committing_city)
    see_documents(pair.one, pair.other)
    looks = [lambda: jobs.look_at_persons([pair.one.person_id]), lambda: jobs.look_at_persons([pair.other.person_id])]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda look: outcome(committing_city, look), looks * 4))
    assert outcomes == ["done"] * 8
    assert pair.is_one_person()
    assert len(links_of(pair.one, pair.other)) == 1
