"""No way to what stands in records but through the gate: whatever reads their tables asks consent, or is known here."""

import ast
import re
from functools import cache

from tests.test_architecture import PRODUCT, ROOT, sources

# What is in records, as tables and as classes.
TABLES = {
    "reports": "Report",
    "observations": "Observation",
    "report_attachments": "ReportAttachment",
    "studies": "Study",
    "series": "Series",
    "instances": "Instance",
    "instance_details": "InstanceDetails",
    "key_selections": "KeySelection",
    "key_images": "KeyImage",
    "timeline_entries": "TimelineEntry",
    "record_entries": "RecordEntry",
    "lab_orders": "LabOrder",
}
GATE = {"is_readable", "is_known_to", "readable_person_ids", "gate_of"}
# Parts of a hand-written statement into which the gate is composed.
GATE_PARTS = ("{readable}", "{is_known}")

FILES = "takes in what a hospital sends, and shows nothing of it"
FOUND = "reads on about what its caller has found through the gate, or stands in a statement that has it"
HOUSE = "what a hospital made itself, for its own people; each person is told in the access log"
TELLS = "finds out who has to be told, for jobs; shows nothing"
QUALITY = "how well images were made, for those who answer for it: findings and no names"
KEEPS = "says for how long records have to be kept: the last dates and counts of whole persons"
SEEN = "writes down what a login has seen, by the id of what it was shown"

# Everything else that reads these tables: by module and function (or the name of the statement), with the reason.
# A line more here is a new way to patients' data, and wants the same care as a new way through a wall.
KNOWN: dict[str, dict[str, str]] = {
    "records/dicomsr/service.py": {"_find": FILES, "_find_report": FILES, "_check_not_replaced": FILES},
    "records/entries/service.py": {"_select_with_text": FOUND, "_lock_current": FILES, "_says_the_same": FILES},
    "records/fhir/ordering.py": {"_find_names": FILES},
    "records/fhir/service/listings.py": {
        "_on_report": FOUND,
        "_on_observation": FOUND,
        "_on_entry": FOUND,
        "_by_any_code": FOUND,
    },
    "records/fhir/service/reading.py": {"_list_requests": FOUND},
    "records/fhir/service/results.py": {
        "_LINES": FOUND,
        "_POSITIONS": FOUND,
        "_COMPONENTS": FOUND,
        "_BASED_ON": FOUND,
        "_OWN_OR_COMPONENT": FOUND,
    },
    "records/images/service/adding.py": {"lock_study": FILES, "replace_header": FILES, "_find_or_add_series": FILES},
    "records/images/service/filing.py": {"_KNOWN": FILES, "file_together": FILES, "is_filed": FILES},
    "records/images/service/keeping.py": {"list_kept": FILES},
    "records/images/service/reading.py": {"_list_series": FOUND, "_list_instances": FOUND},
    "records/images/service/searching.py": {"_JOINS": FOUND, "_compose": FOUND},
    "records/images/service/selecting.py": {"list_selections": FOUND},
    "records/orders/service.py": {
        "_FOLLOW": FILES,
        "_lock_known": FILES,
        "list_house_orders": HOUSE,
        "list_of_visit": HOUSE,
    },
    "records/quality/checking.py": {"check_study": QUALITY, "_list_series": QUALITY, "_list_new": QUALITY},
    "records/quality/service.py": {"list_findings": QUALITY, "list_samples": QUALITY},
    "records/releasing/relabelling.py": {"_REPORTS": FILES, "_STUDIES": FILES, "_ENTRIES": FILES},
    "records/reports/service/facts.py": {
        "list_version_facts": TELLS,
        "is_report": TELLS,
        "get_current_version": TELLS,
        "get_sent": FILES,
    },
    "records/reports/service/filing.py": {"_decide": FILES, "_says_the_same": FILES},
    "records/reports/service/plain.py": {"_ASK": FILES},
    "records/reports/service/reading.py": {
        "_READABLE": FOUND,
        "_LINES": FOUND,
        "open_attachment": FOUND,
        "list_attachment_files": FOUND,
        "_find_version": FOUND,
    },
    "records/reports/service/versions.py": {"_VERSIONS": FOUND, "list_versions": FOUND},
    "records/rights/service.py": {"_BEYOND": KEEPS, "_LAST": KEEPS},
    "records/timeline/reading.py": {"_AFTER_LAST": FOUND},
    "records/timeline/seeing.py": {"_MARK": SEEN},
    "records/viewing/first_looks.py": {"find_unmade": FILES},
}

_READ_IN_SQL = re.compile(rf"\b(?:FROM|JOIN|ONLY|USING)\s+(?:{'|'.join(TABLES)})\b")
_READERS = {"select", "select_from", "join", "outerjoin", "get", "get_one", "query", "exists", "aliased"}


def _names(node: ast.AST) -> set[str]:
    attributes = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
    return attributes | {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _texts(node: ast.AST) -> list[str]:
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def reads_records(node: ast.AST) -> bool:
    """Whether this function or statement takes rows out of a table of records."""
    readers = (
        call
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in _READERS
    )
    if any(_names(argument) & set(TABLES.values()) for call in readers for argument in call.args):
        return True
    return any(_READ_IN_SQL.search(written) for written in _texts(node))


def asks_the_gate(node: ast.AST) -> bool:
    return bool(_names(node) & GATE) or any(part in written for written in _texts(node) for part in GATE_PARTS)


def list_direct_reads(module: ast.Module) -> set[str]:
    """What reads records in a module and does not ask the gate itself: functions, methods, and named statements."""
    parts = [part for one in module.body for part in (one.body if isinstance(one, ast.ClassDef) else [one])]
    return {
        _name_of(part)
        for part in parts
        if not isinstance(part, ast.Import | ast.ImportFrom) and reads_records(part) and not asks_the_gate(part)
    }


def _name_of(part: ast.stmt) -> str:
    if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
        return part.name
    return ast.unparse(part.targets[0] if isinstance(part, ast.Assign) else part).partition("\n")[0]


@cache
def _modules() -> dict[str, ast.Module]:
    inside = sources(*PRODUCT, "app.py", "worker.py")
    return {str(path.relative_to(ROOT)): module for path, module in inside.items() if path.stem != "models"}


def test_nothing_reads_records_past_the_gate() -> None:
    found = {name: reads for name, module in _modules().items() if (reads := list_direct_reads(module))}
    unknown = {name: reads - set(KNOWN.get(name, ())) for name, reads in found.items()}
    assert {name: reads for name, reads in unknown.items() if reads} == {}, "ask consent.is_readable or consent.gate_of"
    gone = {name: set(known) - found.get(name, set()) for name, known in KNOWN.items()}
    assert {name: names for name, names in gone.items() if names} == {}, "not there any more: strike it off"


def test_many_ways_lead_through_the_gate() -> None:
    through = [
        name
        for name, module in _modules().items()
        if any(reads_records(one) and asks_the_gate(one) for one in module.body)
    ]
    assert len(through) >= 12


def test_only_the_edge_and_the_shared_parts_know_the_tables_of_records() -> None:
    """Another package reads what is in records through its services, never its tables."""
    others = {name: module for name, module in _modules().items() if not name.startswith("records/")}
    assert [name for name, module in others.items() if list_direct_reads(module)] == []


def test_a_direct_read_is_found_however_it_is_written() -> None:
    written = {
        "select(Report)": True,
        "session.get(Study, study_id)": True,
        "session.scalars(select(models.TimelineEntry.title).where(True))": True,
        "session.execute(text('SELECT title FROM timeline_entries'))": True,
        "statements.list_rows(session, 'SELECT 1 FROM persons JOIN reports ON true', {})": True,
        "select(Report).where(consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id))": False,
        "select(Person)": False,
    }
    for line, is_direct in written.items():
        module = ast.parse(f"def show(session, actor):\n    return {line}\n")
        assert list_direct_reads(module) == ({"show"} if is_direct else set()), line
