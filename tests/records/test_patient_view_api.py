"""The patient's view: what is new, under which visit, in which stage of life, and what a correction changed."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from core import clock, db, statements
from core.ids import new_id
from records.entries.coded import CodedEntry
from records.fhir import systems
from records.life.pregnancies import combine
from records.life.stages import Span, Stage, join_spans, list_spans
from records.timeline import service as timeline
from records.timeline.reading import TimelineFilter, select_page
from records.timeline.schemas import Timeline, TimelineItemShown, VisitOfItemShown
from records.timeline.service import Placement, TimelineItem, VisitOfItem
from tests.health_card.family.household import Household
from tests.support import entries, fhir
from tests.support.city import City, Hospital, Patient, Staff, bearer


class Phone:
    """A patient at his phone, and a laboratory that sends."""

    def __init__(self, city: City, patient: Patient | None = None) -> None:
        self.city, self.patient = city, patient or city.patient()
        self.hospital: Hospital = city.hospital()
        self.laboratory = city.machine(self.hospital)

    def get(self, path: str, who: Patient | Staff | None = None) -> Any:
        return self.city.client.get(f"/api/v1{path}", headers=bearer((who or self.patient).token))

    def post(self, path: str, **body: Any) -> Any:
        return self.city.client.post(f"/api/v1{path}", json=body, headers=bearer(self.patient.token))

    def lines(self, query: str = "", who: Patient | Staff | None = None) -> list[dict[str, Any]]:
        reply = self.get(f"/timeline{query}", who)
        assert reply.status_code == 200, reply.text
        return list(reply.json["items"])

    def send(self, *results: dict[str, Any], at: str = "2026-03-20T08:30:00+08:00", **changes: Any) -> str:
        subject = (systems.CARD, self.patient.card_number)
        report = fhir.report(subject, effectiveDateTime=at) | changes
        body = fhir.bundle(report, *(results or (fhir.observation(),)))
        return fhir.report_id_of(fhir.send(self.city, self.laboratory, body))

    def place(self, at: datetime, hospital: Hospital | None = None, category: str = "laboratory") -> UUID:
        placed = Placement(
            person_id=self.patient.person_id,
            hospital_id=(hospital or self.hospital).id,
            visit_id=None,
            object_kind="study" if category == "imaging" else "report",
            object_id=new_id(),
            category=category,
            title="检查",
            status="final",
            occurred_at=at,
        )
        with db.transaction() as session:
            timeline.place_entry(session, placed)
        return placed.object_id


@pytest.fixture
def phone(city: City) -> Phone:
    return Phone(city)


def named(number: str = "R1") -> dict[str, Any]:
    return {"identifier": [{"system": "urn:example:lis", "value": number}]}


def test_a_page_is_shown_as_its_schema_says(phone: Phone) -> None:
    registrar = phone.city.staff(phone.hospital)
    phone.city.visit(registrar, phone.patient, phone.hospital)
    phone.send(**named(), at=clock.now().isoformat())
    phone.place(clock.now())
    page = phone.get("/timeline").json
    assert {"visit" in line for line in page["items"]} == {True, False}
    # What is left out is null.
    lines = [dict.fromkeys(TimelineItemShown.model_fields) | line for line in page["items"]]
    shown = Timeline.model_validate_json(json.dumps({"items": lines}))
    assert json.loads(shown.model_dump_json(exclude_none=True)) == page
    for view, schema in ((TimelineItem, TimelineItemShown), (VisitOfItem, VisitOfItemShown)):
        assert set(view.__dataclass_fields__) == set(schema.model_fields)


def test_a_line_is_unread_until_opened_and_again_after_a_correction(phone: Phone) -> None:
    report_id, other = phone.send(**named("R1")), phone.send(**named("R2"))
    assert [line["is_unread"] for line in phone.lines()] == [True, True]
    phone.get(f"/reports/{report_id}")
    assert {line["object_id"] for line in phone.lines("?is_unread=true")} == {other}
    phone.send(**named("R1"), status="corrected", conclusion="复核")
    assert [line["version"] for line in phone.lines("?is_unread=true") if line["object_id"] == report_id] == [2]
    phone.get(f"/reports/{report_id}/versions/1")
    assert len(phone.lines("?is_unread=true")) == 2
    assert phone.post("/timeline/seen", person_id=str(new_id())).json == {"marked": 0}
    assert phone.post("/timeline/seen", person_id=str(phone.patient.person_id)).json == {"marked": 2}
    assert phone.post("/timeline/seen").json == {"marked": 0}
    assert phone.lines("?is_unread=true") == []


def test_marks_are_each_login_s_own_and_a_doctor_has_none(city: City) -> None:
    household = Household.open(city)
    minor = household.minor()
    code = household.invite(household.mother, kind="consent", relation="child").json["code"]
    household.accept(minor, code)
    phone = Phone(city, minor)
    report_id = phone.send()
    assert phone.get(f"/reports/{report_id}", household.mother).status_code == 200
    assert [line["is_unread"] for line in phone.lines(who=household.mother)] == [False]
    assert [line["is_unread"] for line in phone.lines()] == [True]
    doctor = city.staff(phone.hospital)
    visit_id = city.visit(doctor, minor, phone.hospital)
    assert [line["is_unread"] for line in phone.get(f"/visits/{visit_id}/timeline", doctor).json["items"]] == [False]


def test_a_report_stands_under_its_visit(phone: Phone) -> None:
    doctor = phone.city.staff(phone.hospital)
    visit_id = phone.city.visit(doctor, phone.patient, phone.hospital)
    now = clock.in_city(clock.now()).isoformat()
    phone.send(at=now)
    phone.send(at="2020-01-01T08:00:00+08:00")
    under = [line.get("visit") for line in phone.lines()]
    assert under[1] is None
    assert {name: under[0][name] for name in ("id", "kind", "department", "hospital_name")} == {
        "id": str(visit_id),
        "kind": "O",
        "department": "0300",
        "hospital_name": "市第一测试医院",
    }


def test_filters_narrow_the_page_and_pages_go_on_within_them(phone: Phone) -> None:
    other = phone.city.hospital("市第二测试医院")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    laboratory = [phone.place(start + timedelta(days=day)) for day in range(4)]
    elsewhere = phone.place(start + timedelta(days=9), other)
    study = phone.place(start + timedelta(days=10), category="imaging")

    def ids(query: str) -> list[str]:
        return [line["object_id"] for line in phone.lines(query)]

    assert ids("?kind=study") == ids("?category=imaging") == [str(study)]
    assert ids(f"?hospital_id={other.id}") == [str(elsewhere)]
    assert ids(f"?person_id={phone.patient.person_id}&kind=report&limit=2") == [str(elsewhere), str(laboratory[3])]
    within = "occurred_from=2026-01-02T00:00:00Z&occurred_until=2026-01-04T00:00:00Z"
    assert ids(f"?{within}") == [str(laboratory[2]), str(laboratory[1])]
    first = phone.lines(f"?{within}&limit=1")[0]
    assert ids(f"?{within}&limit=1&before={first['id']}") == [str(laboratory[1])]
    stranger = phone.city.patient("陈测试")
    assert phone.lines(f"?person_id={phone.patient.person_id}", stranger) == []
    for broken in ("kind=visit", "occurred_from=2026-01-02T00:00:00", "stage=adult", "hospital_id=1"):
        assert phone.get(f"/timeline?{broken}").status_code == 422, broken
    doctor = phone.city.staff(other)
    visit_id = phone.city.visit(doctor, phone.patient, other)
    shared = phone.get(f"/visits/{visit_id}/timeline?kind=study&stage=youth", doctor).json["items"]
    assert [line["object_id"] for line in shared] == [str(study)]


def test_a_family_s_lines_come_in_one_order_page_by_page(city: City) -> None:
    household = Household.open(city)
    child = household.add(household.mother).json
    phone = Phone(city, household.mother)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    placed = []
    for day in range(6):
        owner = phone.patient.person_id if day % 2 else UUID(child["person_id"])
        placed.append(phone.place(start + timedelta(days=day)))
        with db.transaction() as session:
            moved = {"owner": owner, "id": placed[-1]}
            session.execute(text("UPDATE timeline_entries SET person_id = :owner WHERE object_id = :id"), moved)
    met, before = [], ""
    while page := phone.lines(f"?limit=2{before}"):
        met += [line["object_id"] for line in page]
        before = f"&before={page[-1]['id']}"
    assert met == [str(id_) for id_ in reversed(placed)]
    assert len(phone.lines(f"?person_id={child['person_id']}")) == 3


def test_a_person_of_two_records_has_each_line_once(phone: Phone) -> None:
    other, doctor = phone.city.patient("陈测试"), phone.city.staff(phone.hospital)
    phone.place(clock.now())
    visits = [phone.city.visit(doctor, who, phone.hospital) for who in (phone.patient, other)]
    with db.transaction() as session:
        merged = {"root": phone.patient.person_id, "id": other.person_id}
        session.execute(text("UPDATE persons SET root_id = :root WHERE id = :id"), merged)
    for visit_id in visits:
        assert len(phone.get(f"/visits/{visit_id}/timeline", doctor).json["items"]) == 1
    assert len(phone.lines()) == len(phone.lines(who=other)) == 1


def test_a_correction_says_what_it_changed(phone: Phone) -> None:
    potassium = fhir.observation("2823-3", "钾", valueQuantity={"value": 3.1, "unit": "mmol/L"})
    sodium = fhir.observation("2951-2", "钠", valueQuantity={"value": 140, "unit": "mmol/L"})
    report_id = phone.send(fhir.observation(), potassium, **named())
    corrected = potassium | {"valueQuantity": {"value": 4.10, "unit": "mmol/L"}}
    phone.send(corrected, sodium, **named(), status="corrected", conclusion="复核后更正")
    shown = phone.get(f"/reports/{report_id}").json
    assert (shown["version"], shown["status"], shown["is_current"]) == (2, "corrected", True)
    first, second = shown["versions"]
    assert (first["version"], first["status"], first["is_current"], first["changes"]) == (1, "final", False, [])
    assert (second["conclusion_changed"], second["is_current"]) == (True, True)
    said = {(c["kind"], c["name"], c.get("before"), c.get("after"), tuple(c["fields"])) for c in second["changes"]}
    assert ("changed", "钾", "3.1 mmol/L", "4.1 mmol/L") in {line[:4] for line in said}
    assert ("added", "钠", None, "140 mmol/L", ()) in said
    assert ("removed", "葡萄糖", "7.2 mmol/L", None, ()) in said
    assert len(said) == 3
    old = phone.get(f"/reports/{report_id}/versions/1").json
    assert (old["version"], old["is_current"], [line["name"] for line in old["observations"]]) == (
        1,
        False,
        ["葡萄糖", "钾"],
    )
    assert phone.get(f"/reports/{report_id}/versions/3").json["code"] == "records.report_not_found"
    assert phone.get(f"/reports/{report_id}/versions/1", phone.city.patient("陈测试")).status_code == 404


def test_a_life_in_its_stages_with_pregnancies_across_them(phone: Phone) -> None:
    with db.transaction() as session:
        born = {"born": date(1985, 4, 12), "id": phone.patient.person_id}
        session.execute(text("UPDATE persons SET birth_date = :born, sex = 'female' WHERE id = :id"), born)
    for at in (datetime(1985, 4, 13, tzinfo=UTC), datetime(1990, 1, 1, tzinfo=UTC), datetime(2020, 6, 1, tzinfo=UTC)):
        phone.place(at)
    period = {"valueQuantity": None, "referenceRange": None, "interpretation": None}
    expected = fhir.observation("11778-8", "预产期", **period, valueString="2020-12-01")
    last = fhir.observation("8665-2", "末次月经", **period, valueString="20200226")
    broken = fhir.observation("8665-2", "末次月经", **period, valueString="2020-02-31")
    report_id = phone.send(expected, last, broken, at="2020-03-20T08:00:00+08:00")
    stages = phone.get("/life").json["stages"]
    names = [stage["stage"] for stage in stages]
    assert names == ["newborn", "infant", "toddler", "preschool", "juvenile", "youth", "pregnancy"]
    assert [stage["count"] for stage in stages] == [1, 0, 0, 1, 0, 2, 2]
    assert [stage["is_now"] for stage in stages] == [False] * 5 + [True, False]
    assert (stages[6]["first_day"], stages[6]["end_day"]) == ("2020-02-25", "2020-12-02")
    phone.get(f"/reports/{report_id}")
    assert [stage["unread_count"] for stage in phone.get("/life").json["stages"]] == [1, 0, 0, 1, 0, 1, 1]
    assert [line["occurred_at"][:4] for line in phone.lines("?stage=pregnancy")] == ["2020", "2020"]
    assert [line["occurred_at"][:4] for line in phone.lines("?stage=newborn")] == ["1985"]
    assert phone.lines("?stage=old_age") == []
    stranger = phone.city.patient("陈测试")
    refused = phone.get(f"/life?person_id={phone.patient.person_id}", stranger)
    assert (refused.status_code, refused.json["code"]) == (404, "records.life_not_found")
    refused = phone.get(f"/timeline?stage=youth&person_id={phone.patient.person_id}", stranger)
    assert (refused.status_code, refused.json["code"]) == (404, "records.life_not_found")


def test_a_timeline_says_what_it_can_be_narrowed_to(phone: Phone) -> None:
    other = phone.city.hospital("市第三测试医院")
    phone.place(datetime(2020, 1, 1, tzinfo=UTC))
    phone.place(datetime(2020, 1, 2, tzinfo=UTC), other, "imaging")
    own = phone.get("/timeline/choices").json
    assert {each["id"] for each in own["hospitals"]} == {str(phone.hospital.id), str(other.id)}
    assert own["kinds"] == [
        {"object_kind": "report", "category": "laboratory"},
        {"object_kind": "study", "category": "imaging"},
    ]
    (line,) = phone.lines(f"?hospital_id={other.id}")
    assert (line["object_kind"], line["hospital_name"]) == ("study", "市第三测试医院")
    stranger = phone.city.patient("陈测试")
    nothing = phone.get(f"/timeline/choices?person_id={phone.patient.person_id}", stranger).json
    assert nothing == {"hospitals": [], "kinds": []}


def test_what_hospitals_entered_tells_of_pregnancies_births_and_vaccinations(phone: Phone) -> None:
    with db.transaction() as session:
        born = {"born": date(1985, 4, 12), "id": phone.patient.person_id}
        session.execute(text("UPDATE persons SET birth_date = :born, sex = 'female' WHERE id = :id"), born)
    subject = entries.named(phone.patient.card_number)

    def told(code: str, name: str, on: str, **changes: Any) -> str:
        about = {"code": {"coding": [{"system": entries.ICD_10, "code": code}], "text": name}, "category": None}
        sent = entries.condition(subject, onsetDateTime=on, **about, **changes)
        return entries.file(phone.city, phone.laboratory.token, sent)

    ended = {"coding": [{"system": entries.CLINICAL, "code": "resolved"}]}
    told("Z34.900", "早孕建册", "2012-03-01", abatementDateTime="2012-11-20", clinicalStatus=ended)
    told("Z35.9", "高危妊娠监督", "2018-01-10")
    refuted = {"coding": [{"code": "refuted"}]}
    told("Z34.0", "早孕", "2022-01-01", verificationStatus=refuted)
    told("O80.9", "单胎顺产", "2018-08-01")
    told("Z37.0", "单一活产", "2018-08-03")
    lasting = entries.file(phone.city, phone.laboratory.token, entries.condition(subject, onsetDateTime="2019-05-06"))
    shot = entries.immunization(subject, occurrenceDateTime="1985-04-13T08:00:00+08:00")
    vaccinated = entries.file(phone.city, phone.laboratory.token, shot)
    not_done = entries.immunization(subject, status="not-done", occurrenceDateTime="1986-04-13T08:00:00+08:00")
    entries.file(phone.city, phone.laboratory.token, not_done)
    life = phone.get("/life").json
    spans = [(each["first_day"], each["end_day"]) for each in life["stages"] if each["stage"] == "pregnancy"]
    assert spans == [("2012-03-01", "2012-11-21"), ("2018-01-10", "2018-08-02")]
    assert [(each["kind"], each["on"], each["stage"]) for each in life["events"]] == [
        ("condition", "2019-05-06", "youth"),
        ("delivery", "2018-08-03", "youth"),
        ("delivery", "2018-08-01", "youth"),
        ("vaccination", "1985-04-13", "newborn"),
    ]
    assert [life["events"][at]["object_id"] for at in (0, 3)] == [lasting, vaccinated]
    assert len(phone.lines("?stage=pregnancy&kind=entry")) == 3


def test_what_a_minor_hides_is_no_event_to_his_guardian(city: City) -> None:
    household = Household.open(city)
    minor, mother = household.minor(), household.mother
    code = household.invite(mother, kind="consent", relation="child").json["code"]
    household.accept(minor, code)
    phone, subject = Phone(city, minor), entries.named(minor.card_number)
    hidden, told = (entries.file(city, phone.laboratory.token, entries.immunization(subject)) for _ in range(2))
    pregnancy = {"coding": [{"system": entries.ICD_10, "code": "Z34.9"}], "text": "早孕建册"}
    sent = entries.condition(subject, code=pregnancy, onsetDateTime="2026-05-01")
    pregnant = entries.file(city, phone.laboratory.token, sent)
    for object_id in (hidden, pregnant):
        assert household.post(minor, f"/timeline/{object_id}/hide", {}).status_code == 200
    own = phone.get("/life").json
    hers = phone.get(f"/life?person_id={minor.person_id}", mother).json
    assert [{each["object_id"] for each in life["events"]} for life in (own, hers)] == [
        {hidden, told, pregnant},
        {told},
    ]
    assert [any(each["stage"] == "pregnancy" for each in life["stages"]) for life in (own, hers)] == [True, False]


@pytest.mark.parametrize(
    ("dated", "entered", "found"),
    [
        # A date that a result says counts before the day on which somebody entered the pregnancy.
        ([(0, 280)], [("Z34.9", 60)], [(0, 280)]),
        # A delivery before or after the expected day ends it, and is no second one.
        ([(0, 280)], [("O80", 250)], [(0, 251)]),
        ([(0, 280)], [("O82", 290), ("Z37.0", 291)], [(0, 291)]),
        ([(0, 280)], [("O03.9", 70), ("O03.9", 75)], [(0, 71)]),
        # What is known of its end alone: 280 days before a delivery; nothing before a miscarriage.
        ([], [("O80", 500)], [(220, 501)]),
        ([], [("O03.9", 500)], []),
        ([], [("Z33", 0), ("Z34", 900)], [(0, 280), (900, 1180)]),
        ([], [("E11.9", 10)], []),
    ],
)
def test_what_is_known_of_a_pregnancy_is_put_together(
    dated: list[tuple[int, int]], entered: list[tuple[str, int]], found: list[tuple[int, int]]
) -> None:
    first = date(2020, 1, 1)

    def span(start: int, end: int) -> Span:
        return Span(first + timedelta(days=start), first + timedelta(days=end))

    told = [
        CodedEntry(
            new_id(), "Condition", frozenset({("icd-10", code)}), "", new_id(), span(at, at).first_day, None, False
        )
        for code, at in entered
    ]
    assert combine([span(*each) for each in dated], told) == [span(*each) for each in found]


@given(born=st.dates(date(1900, 1, 1), date(2026, 1, 1)), days=st.integers(0, 40_000))
def test_every_day_after_birth_is_in_one_stage_of_age(born: date, days: int) -> None:
    day = born + timedelta(days=days)
    spans = list_spans(born)
    inside = [stage for stage, span in spans if span.first_day <= day and (span.end_day is None or day < span.end_day)]
    assert len(inside) == 1
    assert [stage for stage, _ in spans] == [stage for stage in Stage if stage is not Stage.PREGNANCY]


@given(st.lists(st.tuples(st.dates(date(2000, 1, 1), date(2010, 1, 1)), st.integers(1, 300)), max_size=8))
def test_joined_spans_cover_the_same_days_and_lie_apart(pairs: list[tuple[date, int]]) -> None:
    spans = [Span(first, first + timedelta(days=length)) for first, length in pairs]

    def days(found: list[Span]) -> set[date]:
        return {
            span.first_day + timedelta(days=n)
            for span in found
            for n in range(((span.end_day or span.first_day) - span.first_day).days)
        }

    joined = join_spans(spans)
    assert days(joined) == days(spans)
    assert all(one.end_day and one.end_day < other.first_day for one, other in pairwise(joined))


def test_a_page_is_read_in_the_order_of_its_index(phone: Phone) -> None:
    phone.place(clock.now())
    with db.transaction() as session:
        for name in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            session.execute(text(f"SET LOCAL enable_{name} = off"))
        statement, values = select_page(phone.patient.actor, TimelineFilter(), None, 30)
        plan = [line for (line,) in statements.list_rows(session, f"EXPLAIN (COSTS OFF) {statement}", values)]
    index = next(n for n, line in enumerate(plan) if "Index Scan using ix_timeline_entries_page" in line)
    # The page is sorted at the end; what a record gives to it is not.
    own_limit = max(n for n in range(index) if "->  Limit" in plan[n])
    assert not any("Sort" in line for line in plan[own_limit:]), plan
    assert "Index Cond: (person_id = " in plan[index + 1]
