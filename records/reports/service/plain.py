"""Many messages filed together: those whose reports are new and plain, with a few statements for all of them.

What needs a decision (a repeat, a next version, a visit that is named, anything that might be refused) is left to
``filing.file_reports``, one by one: here nothing is ever refused.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from core import statements
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card
from records.intake import service as intake
from records.intake.service import Arrival
from records.reports.incoming import Incoming
from records.reports.service.writing import FiledReport, Filing, write_reports
from records.visits import service as visits
from records.visits.service import NumberedVisit

# The keys of messages and the identifiers of reports, in one order for everybody, as the ordinary way takes them.
_LOCK = """
SELECT count(pg_advisory_xact_lock(hashtextextended(lock, 0))) FROM unnest(%(locks)s::text[]) lock
"""

# Whatever filing asks before it writes, asked once for all messages, when their locks are held: what came before, whom
# they mean, and which visit came last before each report.
_ASK = statements.compose(
    """
WITH report AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(reports)s) asked (place int, number int, system text, value text, at timestamptz)
), owner AS MATERIALIZED ({owners})
SELECT
    ARRAY({known_messages}),
    ARRAY(
        SELECT report.place FROM report WHERE EXISTS (
            SELECT FROM reports
            WHERE hospital_id = %(hospital_id)s
                AND identifier_system = report.system AND identifier_value = report.value
        )
    ),
    (SELECT jsonb_agg(jsonb_build_array(place, person_id)) FROM owner),
    (SELECT jsonb_agg(jsonb_build_array(place, number, visit_id)) FROM ({latest}) found)
""",
    known_messages=intake.KNOWN,
    owners=health_card.OWNERS,
    latest=visits.LATEST.format(
        moments="SELECT owner.person_id, report.at, report.place, report.number FROM owner JOIN report USING (place)"
    ),
)


@dataclass(frozen=True)
class _Asked:
    """What is known of messages: which came before, whom they mean, and the last visits by place and report."""

    known: set[int]
    persons: dict[int, UUID]
    last_visits: dict[tuple[int, int], UUID]


@dataclass(frozen=True)
class Offered:
    """A message that may be filed together with others.

    :ivar answer: makes what it is answered, and a repeat again, given its reports in their order.
    """

    incoming: Incoming
    arrival: Arrival
    answer: Callable[[list[FiledReport]], str]


def report_lock(actor: Actor, identifier: tuple[str, str]) -> str:
    """Who decides about a report of this identifier holds this advisory lock."""
    return f"report/{actor.house_id}/{identifier[0]}/{identifier[1]}"


def file_plain(session: Session, actor: Actor, offered: Sequence[Offered | None]) -> dict[int, str]:
    """File those of the messages that are plain.

    :param offered: None has its place, and is passed over.
    :returns: the answers of those that are filed, by place; each of the others is still to be filed by
        ``file_reports``.
    """
    chosen = _choose(offered)
    if not chosen:
        return {}
    _lock(session, actor, chosen)
    asked = _ask(session, actor, chosen)
    found = {place: person_id for place, person_id in asked.persons.items() if place not in asked.known}
    # Whoever is said to be somebody else goes the ordinary way, which looks closer.
    agreeing = health_card.find_agreeing(
        session, {place: (person_id, chosen[place].incoming.subject) for place, person_id in found.items()}
    )
    numbers = {one.incoming.visit_number or "" for one in chosen.values()} - {""}
    named = visits.find_numbered(session, actor, numbers)
    chosen = {
        place: one
        for place, one in chosen.items()
        if place in agreeing and _fits(named.get(one.incoming.visit_number or ""), found[place])
    }
    return _file(session, actor, chosen, asked, named) if chosen else {}


def _fits(visit: NumberedVisit | None, person_id: UUID) -> bool:
    return visit is None or visit.person_id == person_id


def _choose(offered: Sequence[Offered | None]) -> dict[int, Offered]:
    """Those without a visit of their own choice; of two that touch the same key or report only the first."""
    chosen: dict[int, Offered] = {}
    taken: set[object] = set()
    for place, one in enumerate(offered):
        if one is None:
            continue
        touched: set[object] = {report.identifier for report in one.incoming.reports}
        touched |= {one.arrival.message_key} - {None}
        if _is_plain(one.incoming) and not touched & taken:
            chosen[place] = one
        taken |= touched
    return chosen


def _is_plain(incoming: Incoming) -> bool:
    subject, reports = incoming.subject, incoming.reports
    if incoming.visit_id or incoming.entries or subject.assigned or subject.person_ids:
        return False
    return bool(reports) and not any(one.attachments or one.encounter_ids or one.target for one in reports)


def _lock(session: Session, actor: Actor, chosen: dict[int, Offered]) -> None:
    messages = sorted(intake.message_lock(actor, one.arrival) for one in chosen.values())
    identifiers = sorted(report.identifier for one in chosen.values() for report in one.incoming.reports)
    locks = [*messages, *(report_lock(actor, identifier) for identifier in identifiers)]
    statements.run(session, _LOCK, {"locks": locks})


def _ask(session: Session, actor: Actor, chosen: dict[int, Offered]) -> _Asked:
    subjects = {place: one.incoming.subject for place, one in chosen.items()}
    reports = [
        {"place": place, "number": number, "system": system, "value": value, "at": report.effective_at.isoformat()}
        for place, one in chosen.items()
        for number, report in enumerate(one.incoming.reports)
        for system, value in [report.identifier]
    ]
    values = intake.ask_known(actor, {place: one.arrival for place, one in chosen.items()})
    values |= health_card.ask_owners(actor, subjects) | {"reports": json.dumps(reports)}
    row = statements.run(session, _ASK, values)
    assert row is not None
    messages, known, owners, latest = row
    return _Asked(
        {*messages, *known},
        health_card.choose_owners(subjects, [(place, UUID(person_id)) for place, person_id in owners or ()]),
        {(place, number): UUID(visit_id) for place, number, visit_id in latest or ()},
    )


def _file(
    session: Session, actor: Actor, chosen: dict[int, Offered], asked: _Asked, named: Mapping[str, NumberedVisit]
) -> dict[int, str]:
    ids, persons = {place: new_id() for place in chosen}, asked.persons
    filed = {place: [FiledReport(new_id(), 1, True) for _ in one.incoming.reports] for place, one in chosen.items()}
    replies = {place: one.answer(filed[place]) for place, one in chosen.items()}
    kept = [intake.Kept(ids[place], one.arrival, persons[place], replies[place]) for place, one in chosen.items()]
    intake.keep_all_accepted(session, actor, kept)
    write_reports(
        session,
        actor,
        [
            Filing(
                report_id=which.report_id,
                version=1,
                report=report,
                person_id=persons[place],
                visit_id=_visit_of(one, named) or asked.last_visits.get((place, number)),
                message_id=ids[place],
                channel=one.arrival.channel,
            )
            for place, one in chosen.items()
            for number, (report, which) in enumerate(zip(one.incoming.reports, filed[place], strict=True))
        ],
    )
    return replies


def _visit_of(one: Offered, named: Mapping[str, NumberedVisit]) -> UUID | None:
    visit = named.get(one.incoming.visit_number or "")
    return visit.visit_id if visit else None
