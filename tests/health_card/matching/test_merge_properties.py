"""Merging and taking it back is as if it had never been, whatever happened in between and in whatever order."""

from collections import Counter
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, DateTime, LargeBinary, Table, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB

from accounts.models import Role
from core import db
from core.db import Base
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate
from health_card.matching import service as matching
from health_card.matching.models import MatchCandidate, PersonLink
from health_card.matching.refusals import AlreadyOnePerson
from health_card.models import Person
from tests.health_card.matching.registry import Office
from tests.support.city import City, Patient

RECORDS = 4
EDITS = ("scan", "report", "end codes", "register")
record = st.integers(0, RECORDS - 1)
merges = st.tuples(st.just("merge"), record, record)
undoings = st.tuples(st.just("undo"), st.integers(0, 9), record)
edits = st.tuples(st.sampled_from(EDITS), record, record)
histories = st.lists(st.one_of(merges, merges, undoings, edits, edits), min_size=2, max_size=10)

# What tells of the merges themselves stays.
TELLS_OF_MERGES = {"person_links", "match_candidates", "audit_entries", "audit_unsealed"}
MERGE_NOTICES = {"merged", "unmerged"}


class Town:
    """Four records, a hospital, and everything that can happen to them."""

    def __init__(self, city: City) -> None:
        self.city, self.office, self.hospital = city, Office.open(city), city.hospital()
        self.desk = city.staff(self.hospital, Role.REGISTRAR)
        self.patients = [city.patient(f"钱测{number}", f"1390000000{number}") for number in range(RECORDS)]
        self.ids = [patient.person_id for patient in self.patients]

    def live(self, history: list[tuple[str, int, int]], *, with_merges: bool) -> None:
        for what, one, other in history:
            if what in EDITS:
                self.edit(what, self.patients[one])
            elif with_merges and what == "merge":
                self.merge(self.patients[one], self.patients[other])
            elif with_merges:
                self.undo(one)

    def edit(self, what: str, patient: Patient) -> None:
        if what == "scan":
            # Each has one number of his own at this hospital.
            number = f"MZ-{patient.name}"
            reply = self.city.scan(self.desk, self.city.code(patient), self.hospital, patient_number=number)
            assert reply.status_code == 201
        elif what == "report":
            self.city.place_report(patient, self.hospital, title=f"{patient.name}的报告")
        elif what == "end codes":
            with db.transaction() as session:
                health_card.revoke_codes(session, patient.actor, card_id=patient.card_id)
        else:
            certificate = check_certificate(CertificateType.RESIDENT_ID, patient.certificate_number)
            details = health_card.Details(patient.name, patient.phone, certificate)
            with db.transaction() as session:
                done = health_card.register_person(session, patient.actor, details=details)
            assert (done.person_id, done.is_new) == (patient.person_id, False)

    def merge(self, absorbed: Patient, standing: Patient) -> None:
        self.empty_do_not_match_list()
        roots = self.roots()
        if roots[absorbed.person_id] == roots[standing.person_id]:
            with pytest.raises(AlreadyOnePerson):
                self.office.merge(absorbed, standing)
        else:
            self.office.merge(absorbed, standing)
        self.check_roots()

    def undo(self, which: int) -> None:
        links = self.links()
        if links:
            self.office.unmerge(links[which % len(links)].id)
            self.check_roots()

    def undo_all(self, order: int) -> None:
        while self.links():
            self.undo(order)

    def empty_do_not_match_list(self) -> None:
        with db.transaction() as session:
            refused = select(MatchCandidate).where(MatchCandidate.first_id.in_(self.ids))
            for match in session.scalars(refused.filter_by(state="refused")).all():
                matching.reopen_match(session, self.office.actor, match_id=match.id)

    def links(self) -> list[PersonLink]:
        in_force = select(PersonLink).where(PersonLink.undone_at.is_(None), PersonLink.from_id.in_(self.ids))
        with db.snapshot() as session:
            return list(session.scalars(in_force.order_by(PersonLink.id)))

    def roots(self) -> dict[UUID, UUID]:
        with db.snapshot() as session:
            persons = session.scalars(select(Person).where(Person.id.in_(self.ids)))
            return {person.id: person.root_id for person in persons}

    def check_roots(self) -> None:
        """Behind every record stands the end of its chain of links."""
        behind = {link.from_id: link.into_id for link in self.links()}

        def end_of(person_id: UUID) -> UUID:
            return end_of(behind[person_id]) if person_id in behind else person_id

        assert self.roots() == {person_id: end_of(person_id) for person_id in self.ids}

    def rows(self) -> dict[str, Counter[tuple[str, ...]]]:
        """What every table says of each of the four, without what is random and without times."""
        found = {}
        with db.snapshot() as session:
            for table in Base.metadata.sorted_tables:
                owner = table.c.id if table.name == "persons" else table.c.get("person_id")
                if owner is not None and table.name not in TELLS_OF_MERGES:
                    lines = session.execute(select(*told_columns(table)).where(owner.in_(self.ids)))
                    told = [tuple(str(value) for value in line) for line in lines]
                    found[table.name] = Counter(line for line in told if not MERGE_NOTICES & set(line))
        return found


def told_columns(table: Table) -> list[Column[Any]]:
    def is_told(column: Column[Any]) -> bool:
        if isinstance(column.type, Uuid):
            names_person = any(key.column.table.name == "persons" for key in column.foreign_keys)
            return names_person or (table.name == "persons" and column.primary_key)
        return not isinstance(column.type, DateTime | LargeBinary | JSONB)

    return [column for column in table.c if is_told(column)]


def test_merge_then_unmerge_is_the_identity(city: City) -> None:
    town = Town(city)
    connection = cast(Connection, db.orm.engine)
    met: Counter[str] = Counter()

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(histories, st.integers(0, 9))
    @example([("scan", 0, 0), ("merge", 0, 1), ("report", 1, 1), ("merge", 1, 2)], 1)
    def check(history: list[tuple[str, int, int]], order: int) -> None:
        outcomes = []
        for with_merges in (True, False):
            example = connection.begin_nested()
            town.live(history, with_merges=with_merges)
            met["merged"] += len(town.links())
            town.undo_all(order)
            outcomes.append(town.rows())
            example.rollback()
        assert outcomes[0] == outcomes[1]
        met["rows"] += sum(len(rows) for rows in outcomes[0].values())

    check()
    assert met["merged"] > 0
    assert met["rows"] > 0
