"""Nobody sees anything of anybody but what he may, by whatever route; and what he may see, he sees."""

import base64
import gzip
import io
import json
import os
import random
import re
import zipfile
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from core import db
from core.db import Base
from records.hl7v2 import jobs as hl7v2
from tests.canary.asking import NOBODY, Ask, Asking, UnknownParameter
from tests.canary.judging import Judge, set_to_show
from tests.canary.marks import IDENTITY, PERSON, Mark, Scanner, name_of, phone_of, text_of
from tests.canary.states import HOME
from tests.canary.world import PATIENTS, Member, World
from tests.support import dicom
from tests.support.city import bearer, resident_id
from tests.support.hl7v2 import oru

SEED = int(os.environ.get("CANARY_SEED", "20261122"))
LEAST_CASES = 5_000
# Where texts of records stand as they came, to be searched; who somebody is stands nowhere in clear.
IN_CLEAR = {
    "code_sightings",
    "lab_orders",
    "observations",
    "record_entries",
    "report_attachments",
    "reports",
    "series",
    "studies",
    "timeline_entries",
    "unmapped_codes",
}

Case = tuple[str, Ask, Member]

# Beside all other tests the plans of its many people depend on what a vacuum last saw in tables that are nearly always
# empty: it takes two minutes or a quarter of an hour. `.ci/run` runs it by itself.
pytestmark = pytest.mark.prove


def plan(asking: Asking, *, shown: int, allowed: int, refused: int, routes: str = ".") -> list[Case]:
    """So many cases of each route: that have to be answered, of others who may ask it, and of those who may not.

    Drawn, but the same each time.

    :param routes: only those whose endpoint says this.
    """
    chance, cases = random.Random(SEED), []
    principals = sorted([*asking.world.tokens, NOBODY])
    for rule in asking.rules():
        if not re.search(routes, str(rule.endpoint)):
            continue
        asks = [(ask, member) for member in asking.world.cast.values() for ask in asking.asks(rule, member)]
        may = [(who, *each) for who in principals if asking.may(who, rule) for each in asks]
        may_not = [(who, *each) for who in principals if not asking.may(who, rule) for each in asks]
        has_to = [case for case in may if set_to_show(asking.world, *case)]
        for among, most in ((has_to, shown), (may, allowed), (may_not, refused)):
            cases += among if len(among) <= most else chance.sample(among, most)
    return cases


def try_all(asking: Asking, cases: list[Case]) -> Judge:
    judge = Judge(asking)
    with judge.listening():
        for number, (who, ask, member) in enumerate(cases):
            judge.judge(who, ask, member, number=number)
    print(f"seed {SEED}: {dict(sorted(judge.counts.items()))}")
    assert judge.faults == {}, "\n".join(f"{fault}: {told}" for fault, told in sorted(judge.faults.items()))
    return judge


def test_what_may_be_seen_is_seen_and_nothing_else(app: Flask, asking: Asking) -> None:
    assert len(asking.world.persons) == PATIENTS
    counts = try_all(asking, plan(asking, shown=6, allowed=4, refused=6)).counts
    assert counts["cases"] >= LEAST_CASES
    assert counts["had to be seen"] >= 300


@pytest.mark.prove
def test_a_hundred_thousand_cases(app: Flask, asking: Asking) -> None:
    cases = plan(asking, shown=400, allowed=160, refused=60)
    assert len(cases) >= 100_000 / 2
    for start in range(0, len(cases), LEAST_CASES):
        try_all(asking, cases[start : start + LEAST_CASES])


def test_no_route_is_passed_over(app: Flask, asking: Asking) -> None:
    asked = [ask for rule in asking.rules() for ask in asking.asks(rule, asking.world.cast["active"])]
    assert {ask.endpoint for ask in asked} == {str(rule.endpoint) for rule in asking.rules()}
    assert [ask.path for ask in asked if "<" in ask.path] == []
    with pytest.raises(UnknownParameter, match="secret_id"):
        list(asking.asks(Rule("/api/v1/secrets/<uuid:secret_id>", methods=["GET"], endpoint="secrets.read"),
                         asking.world.cast["active"]))  # fmt: skip


def test_what_is_at_rest_in_clear_is_known(app: Flask, world: World) -> None:
    found: dict[str, set[Mark]] = {}
    with db.snapshot() as session:
        for table in Base.metadata.sorted_tables:
            written = "\n".join(str(tuple(row)) for row in session.execute(select(table)))
            # Its id stands wherever something is somebody's.
            if marks := {mark for mark in world.scanner.find(written) if mark.field != PERSON}:
                found[table.name] = marks
    assert [name for name, marks in found.items() if any(mark.field == IDENTITY for mark in marks)] == []
    assert set(found) - IN_CLEAR == set()


@pytest.mark.parametrize("way", ["acknowledged", "refused"])
def test_answers_to_hl7v2_messages_hold_nothing_of_anybody(app: Flask, world: World, way: str) -> None:
    member, machine = world.cast["active"], world.machines[HOME]
    number = member.patient.card_number if way == "acknowledged" else text_of(3, "QP")
    named = f"{number}^^^^HC||{member.patient.name}"
    result = f"OBX|1|TX|X1^{text_of(0, 'RN')}^L||{text_of(0, 'RV')}||||||F"
    message = oru(world.hospitals[HOME].code, named, result).encode()
    (answers,) = hl7v2.receive(lambda _session: machine.actor, [message])
    assert answers
    assert world.scanner.find(answers[0]) == set()


def test_metrics_name_nobody(app: Flask, world: World) -> None:
    headers = bearer(world.city.config.metrics_token or "")
    reply = world.city.client.get("/metrics", headers=headers)
    assert reply.status_code == 200
    assert world.scanner.find(reply.get_data()) == set()


def test_the_scanner_reads_every_encoding() -> None:
    certificate = resident_id()
    scanner = Scanner({certificate: 7})
    planted = f"{name_of(7)}/{phone_of(7)}/{certificate}/{text_of(7, 'RT')}"
    marks = {Mark(7, IDENTITY), Mark(7, "RT")}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", planted)
    image = dicom.to_bytes(dicom.make_image(PatientName=planted, SpecificCharacterSet="ISO_IR 192"))
    for content in (
        planted.encode(),
        planted.encode("gb18030"),
        json.dumps({"name": planted}).encode(),
        planted.encode("ascii", "xmlcharrefreplace"),
        base64.b64encode(planted.encode()),
        base64.urlsafe_b64encode(planted.encode()).rstrip(b"="),
        json.dumps({"data": base64.b64encode(planted.encode()).decode()}).encode(),
        quote(planted).encode(),
        quote(planted, encoding="gb18030").encode(),
        packed.getvalue(),
        gzip.compress(planted.encode()),
        image,
        base64.b64encode(packed.getvalue()),
    ):
        assert scanner.find(content) == marks, content[:80]
