"""One case: a request is sent, taken back, and everything that came out of it is held against the oracle."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Connection, text

from core import db, keys, limits
from tests.canary.asking import Ask, Asking
from tests.canary.marks import HOUSE, IDENTITY, PERSON, Mark
from tests.canary.oracle import may_see
from tests.canary.states import EMPTY
from tests.canary.world import Member, World
from tests.support.savepoints import begin_savepoint, send

# Found by their indexes: each request has a moment of its own.
_LEFT_BEHIND = text("""
SELECT 'act', action, subject_id, facts::text FROM audit_entries WHERE at = :now
UNION ALL SELECT 'effect', topic, NULL, payload::text FROM outbox_messages
WHERE due_at >= :now AND done_at IS NULL AND dead_at IS NULL AND created_at = :now
""")


class Log(logging.Handler):
    """Everything that any logger of the process says."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass
class Outcome:
    """``told``: the canaries in the answer that were not in the request. ``acts``: on whom, and what they are."""

    status: int
    said: str
    told: set[Mark]
    acts: dict[int, set[str]]


@dataclass
class Judge:
    """Sends, and notes what is wrong; each fault once for each route and who asked."""

    asking: Asking
    log: Log = field(default_factory=Log)
    faults: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def listening(self) -> Iterator[None]:
        root = logging.getLogger()
        level = root.level
        root.addHandler(self.log)
        root.setLevel(logging.INFO)
        try:
            yield
        finally:
            root.removeHandler(self.log)
            root.setLevel(level)

    def send(self, who: str, ask: Ask, *, number: int = 0) -> Outcome:
        """One request, and what it leaves behind; then it is as if it had never been."""
        # Of an application whose work is rolled back the engine is one connection.
        connection = cast(Connection, db.orm.engine)
        find = self.asking.world.scanner.find
        # However many tries a fast machine makes within a minute, they must not add up.
        limiter = limits._limiter
        assert limiter is not None
        storage: Any = limiter.storage
        storage.key_prefix = f"{storage.key_prefix.partition('/')[0]}/{number}"
        self.log.lines.clear()
        self.asking.world.clock.forward(milliseconds=1)
        request_id = f"canary-{number:08d}"
        begin_savepoint(connection, "canary")
        try:
            reply = self.asking.send(who, ask, request_id)
            content = reply.get_data()
            told = find(content) | find(str(reply.headers))
            reply.close()
            left = connection.execute(_LEFT_BEHIND, {"now": self.asking.world.clock.time}).all()
        finally:
            db.orm.session.remove()
            send(connection, "ROLLBACK TO SAVEPOINT canary")
            if ask.endpoint.startswith("signing_key"):
                keys.forget_rings()
        sent = find(f"{ask.path} {ask.body} {ask.form}")
        outside = {
            "log": "\n".join(self.log.lines),
            "outbox and audit": "\n".join(row[3] for row in left),
        }
        for name, said in outside.items():
            self._note(who, ask, f"canaries in {name}", sorted(find(said)))
        acts: dict[int, set[str]] = {}
        for kind, action, subject, _ in left:
            if kind == "act" and subject in self.asking.world.persons:
                acts.setdefault(self.asking.world.persons[subject], set()).add(action)
        said = content[:2000].decode("utf-8", "replace") if reply.status_code >= 400 else ""
        return Outcome(reply.status_code, said, told - sent, acts)

    def judge(self, who: str, ask: Ask, member: Member, *, number: int) -> None:
        """The case in both directions: nothing that may not be seen, everything that has to be, and the access log."""
        world = self.asking.world
        outcome = self.send(who, ask, number=number)
        self.counts["cases"] += 1
        self.counts["refused" if outcome.status >= 400 else "allowed"] += 1
        self._note(who, ask, "it broke", [outcome.status] if outcome.status >= 500 and outcome.status != 503 else [])
        leaks = sorted(mark for mark in outcome.told if not may_see(world, who, mark))
        self._note(who, ask, "a leak", leaks)
        self.counts["told"] += bool(outcome.told)
        if outcome.status >= 400:
            has_to_show = self.asking.may(who, ask.rule) and set_to_show(world, who, ask, member)
            self._note(who, ask, "refused", [outcome.status, outcome.said] if has_to_show else [])
            return
        records = {mark.owner for mark in outcome.told if mark.owner < HOUSE and mark.field not in {IDENTITY, PERSON}}
        self._note(who, ask, "seen and not in the access log", sorted(records - outcome.acts.keys()))
        looked = {owner for owner, acts in outcome.acts.items() if any(map(_is_look, acts))}
        if ask.endpoint not in WITHOUT_TEXT and ask.method == "GET" and "use=shared" not in ask.path:
            # Of a grant that shows nothing of what there is, an empty answer is a look too.
            looked -= {number for number, shown in world.sharing.items() if shown == EMPTY}
            self._note(who, ask, "in the access log and not seen", sorted(looked - {one.owner for one in outcome.told}))
        wanted = set_to_show(world, who, ask, member)
        self._note(who, ask, "not seen", sorted(wanted - outcome.told))
        self.counts["had to be seen"] += bool(wanted)

    def _note(self, who: str, ask: Ask, fault: str, found: list[Any]) -> None:
        if found:
            self.faults.setdefault(f"{fault}: {ask.method} {ask.endpoint} by {who}", f"{ask.path} {found[:6]}")


def set_to_show(world: World, who: str, ask: Ask, member: Member) -> set[Mark]:
    """The canaries that have to be in the answer to somebody who may ask."""
    fields = {one.format(about=ask.about) for one in SHOWS.get(ask.endpoint, ())}
    if ask.about:
        fields = {one for one in fields if one[0] == ask.about and (ask.about != "F" or one == "FF")}
    if "use=shared" in ask.path or (ask.endpoint == "exports.download_export" and "export_id" not in member.ids):
        fields = set()
    return {mark for field_ in fields if may_see(world, who, mark := Mark(member.number, field_))}


def _is_look(action: str) -> bool:
    return bool(re.search(r"\.(read|listed|made|checked|searched|downloaded|copied)$", action)) and action.startswith(
        "records."
    )


_IMAGES = ("DS", "DE", "DR", "DP")
# What each of these says of a person, when it is asked about him by somebody who may see it. ``about`` is the first
# letter of the canaries of the report that was asked for.
SHOWS: dict[str, tuple[str, ...]] = {
    "chart_pages.show_chart": ("RT", "EN", "CN", "DS", "HT"),
    "dicomweb.retrieve_instance": _IMAGES,
    "dicomweb.retrieve_metadata": _IMAGES,
    "dicomweb.retrieve_metadata_of_series": _IMAGES,
    "dicomweb.retrieve_metadata_of_study": _IMAGES,
    "dicomweb.retrieve_series": _IMAGES,
    "dicomweb.retrieve_study": _IMAGES,
    "dicomweb.search_instances": _IMAGES,
    "dicomweb.search_instances_of_series": _IMAGES,
    "dicomweb.search_instances_of_study": _IMAGES,
    "dicomweb.search_series": ("DS", "DE"),
    "dicomweb.search_series_of_study": ("DE",),
    "dicomweb.search_studies": ("DS", "DR"),
    "documents.print_report": ("{about}T", "{about}N", "{about}V"),
    "entries.read_document": ("EF",),
    "entries.read_entry": ("{about}N",),
    "exports.download_export": ("RT", "RV", "ST", "EN", "CN", "DS", "ID"),
    "fhir.read_DiagnosticReport": ("{about}T", "{about}C"),
    "fhir.read_Observation": ("{about}N", "{about}V"),
    "fhir.read_everything": ("RT", "EN", "CN"),
    "fhir.read_summary": ("CN",),
    "fhir.search_DiagnosticReport": ("RT", "RC"),
    "fhir.search_Observation": ("RN", "RV"),
    "fhir.submit_bundle": ("RT", "RN", "CN"),
    "images.read_study": ("DS", "DE"),
    "reports.read_attachment": ("FF",),
    "reports.read_report": ("{about}T", "{about}N", "{about}V", "{about}C"),
    "reports.read_version": ("{about}T", "{about}N", "{about}V", "{about}C"),
    "timeline.read_own": ("RT", "ST", "EN", "CN", "DS"),
    "timeline.read_shared": ("RT", "HT", "EN", "CN", "DS"),
    "trends.read_trend": ("RQ",),
    "viewing.copy_originals": ("DP",),
    "viewing_pages.show": ("DS",),
    **{
        f"fhir.{verb}_{name}": ("EN",)
        for verb in ("search", "post_search", "read", "history", "vread")
        for name in ("AllergyIntolerance", "Immunization", "MedicationRequest", "Procedure", "Specimen")
    },
    **{f"fhir.{verb}_Condition": ("CN",) for verb in ("search", "post_search", "read", "history", "vread")},
}
# They say that something was looked at, and nothing of what it says.
WITHOUT_TEXT = {
    "dicomweb.retrieve_rendered",
    "dicomweb.retrieve_rendered_frame",
    "dicomweb.retrieve_rendered_series",
    "dicomweb.retrieve_rendered_study",
    "dicomweb.retrieve_thumbnail",
    "dicomweb.retrieve_thumbnail_of_frame",
    "dicomweb.retrieve_thumbnail_of_series",
    "dicomweb.retrieve_thumbnail_of_study",
    "dicomweb.retrieve_frames",
    "dicomweb.retrieve_bulk_data",
    "viewing.show_picture",
    "viewing.copy_pictures",
    "timeline.list_choices",
    "life.read_life",
    "timeline.mark_all_seen",
    "viewing.check_standing",
    "orders.list_orders",
    *(f"fhir.{verb}_Encounter" for verb in ("read", "vread", "history", "search", "post_search")),
}
