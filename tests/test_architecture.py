"""The codebase about itself: sizes, guards, refusals, transactions, tables (docs/adr; ARCHITECTURE.md)."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from flask import Flask

from accounts.roles import LINK_PERMISSIONS, PATIENT_PERMISSIONS, ROLE_PERMISSIONS, SCOPE_PERMISSIONS
from core.error_page import errors_page
from core.errors import Refusal, list_refusals
from core.web import guard_of

ROOT = Path(__file__).resolve().parent.parent

# A new folder is a new business word: it needs a decision record in docs/adr/ and a line in the import contract.
PRODUCT = {"core", "accounts", "health_card", "consent", "records", "recognition", "payments"}
BESIDE = {"templates", "static", "mini_program", "simulator", "tests", "bench", "deploy", "docs", "migrations", ".ci"}

LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 400, 60, 7


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that belongs to the project, new ones included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):  # An unpacked archive: everything but what is made here.
        made_here = {".venv", "var", "__pycache__"}
        listed = [
            str(path.relative_to(ROOT))
            for path in ROOT.rglob("*")
            if path.is_file() and not made_here & set(path.parts) and not path.parts[len(ROOT.parts)].startswith(".")
        ]
    return tuple(sorted(path for path in (ROOT / name for name in listed) if path.is_file()))


@cache
def sources(*roots: str) -> dict[Path, ast.Module]:
    """The Python files of these root folders or modules, parsed; of everything when none is named."""
    wanted = [path for path in tracked_files() if path.suffix == ".py" and (not roots or root_of(path) in roots)]
    assert wanted
    return {path: parsed(path) for path in wanted}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes(module: ast.Module) -> tuple[ast.AST, ...]:
    """Everything in it; each rule goes through all of it."""
    return tuple(ast.walk(module))


def root_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def place(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno}" if isinstance(node, ast.expr | ast.stmt) else ""
    return f"{path.relative_to(ROOT)}{line}"


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in nodes(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


# Sizes and the tree


def test_no_file_is_longer_than_400_lines() -> None:
    kinds = {".py", ".html", ".css", ".js", ".ts", ".vue"}
    sizes = {place(path): path.read_text().count("\n") for path in tracked_files() if path.suffix in kinds}
    # A migration is a record of what was done, not code to grow.
    long = {name: lines for name, lines in sizes.items() if lines > LONGEST_FILE and not name.startswith("migrations/")}
    assert long == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {
        f"{place(path, node)} {node.name}": node.end_lineno - node.lineno + 1
        for path, module in sources().items()
        if root_of(path) != "migrations"
        for node in functions(module)
        if node.end_lineno and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == {}


def test_no_service_function_takes_more_than_7_parameters_beside_session_and_actor() -> None:
    crowded = [
        f"{place(path, node)} {node.name}"
        for path, module in sources(*PRODUCT).items()
        for node in functions(module)
        if not node.name.startswith("__")
        and len(
            {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
            - {"self", "cls", "session", "actor"}
        )
        > MOST_PARAMETERS
    ]
    assert crowded == []


def test_root_folders_are_the_known_ones() -> None:
    folders = {root_of(path) for path in tracked_files() if path.parent != ROOT}
    assert folders - PRODUCT - BESIDE == set(), "a new root folder needs a decision record (docs/adr) and a line here"
    assert folders >= PRODUCT


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base"}
    assert [place(path) for path in sources() if {path.stem, *path.relative_to(ROOT).parts[:-1]} & drawers] == []


def test_nothing_is_put_off_and_no_check_is_switched_off_without_a_reason() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|#\s*noqa|type: ignore(?!\[[\w, -]+\])|NotImplementedError")
    own = Path(__file__).resolve()
    found = [
        f"{place(path)}:{number}"
        for path in sources()
        if path != own
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if words.search(line)
    ]
    assert found == []


# Guards


def test_every_route_has_a_guard(migrated_app: Flask) -> None:
    unguarded = []
    for rule in migrated_app.url_map.iter_rules():
        guard = guard_of(migrated_app, rule.endpoint)
        if guard is None and rule.endpoint != "static":
            unguarded.append(rule.rule)
        if guard is not None and guard.permission is None:
            assert guard.reason, f"{rule.rule} is public without a reason"
    assert unguarded == []


def test_permissions_are_demanded_by_routes_and_held_by_somebody(migrated_app: Flask) -> None:
    guards = [guard_of(migrated_app, rule.endpoint) for rule in migrated_app.url_map.iter_rules()]
    demanded = {guard.permission for guard in guards if guard is not None and guard.permission}
    roles = [PATIENT_PERMISSIONS, LINK_PERMISSIONS, *ROLE_PERMISSIONS.values(), *SCOPE_PERMISSIONS.values()]
    held = set().union(*roles)
    assert [name for name in demanded | held if not re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z_]+", name)] == []
    assert demanded - held == set(), "nobody can use these routes"
    assert held - demanded == set(), "no route demands these"


# Refusals


def our_refusals() -> list[type[Refusal]]:
    return [refusal for refusal in list_refusals() if refusal.__module__.split(".")[0] in PRODUCT]


def test_docs_errors_md_is_what_the_code_says(migrated_app: Flask) -> None:
    written = (ROOT / "docs" / "errors.md").read_text()
    assert written == errors_page(), "docs/errors.md is out of date: run `make docs` and commit it"


def test_every_code_names_its_package_and_says_what_to_do(migrated_app: Flask) -> None:
    codes = [refusal.code for refusal in our_refusals()]
    for refusal in our_refusals():
        package = refusal.__module__.split(".")[0]
        assert re.fullmatch(rf"{package}\.[a-z][a-z0-9_]+", refusal.code), refusal
        assert refusal.detail.endswith("."), refusal
        assert len(refusal.detail.split()) >= 5, refusal
        assert re.search(r"[\u4e00-\u9fff]", refusal.title), refusal
    assert len(codes) == len(set(codes)) > 30


def test_every_refusal_class_has_a_code_of_its_own() -> None:
    declared: dict[str, str] = {}
    for path, module in sources(*PRODUCT).items():
        for node in nodes(module):
            if isinstance(node, ast.ClassDef):
                for line in node.body:
                    if (
                        isinstance(line, ast.Assign)
                        and ast.unparse(line.targets[0]) == "code"
                        and isinstance(line.value, ast.Constant)
                    ):
                        code = str(line.value.value)
                        assert code not in declared, f"{code}: {declared[code]} and {place(path, node)}"
                        declared[code] = place(path, node)
    assert set(declared) >= {refusal.code for refusal in our_refusals()}


def test_every_code_is_met_by_a_test(migrated_app: Flask) -> None:
    own = Path(__file__).resolve()
    tests = "\n".join(path.read_text() for path in sources("tests") if path != own)
    codes = {refusal.code for refusal in our_refusals()}
    untested = {code for code in codes if f'"{code}"' not in tests}
    assert untested == set()


# Transactions, the environment and who imports whom


def test_only_core_db_says_commit_or_rollback() -> None:
    said = [
        place(path, node)
        for path, module in sources(*PRODUCT, "app.py", "worker.py").items()
        if path != ROOT / "core" / "db.py"
        for node in nodes(module)
        if isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback", "begin_nested"}
    ]
    assert said == []


def test_only_routes_jobs_and_mechanisms_open_transactions() -> None:
    """Services take the session of their caller."""
    openers = {"routes", "jobs", "pages", "commands", "identify", "listener", "mllp", "settlement"}
    said = [
        place(path, node)
        for path, module in sources(*(PRODUCT - {"core"})).items()
        if not {path.stem, path.parent.name} & openers
        for node in nodes(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"db.transaction", "db.snapshot"}
    ]
    assert said == []


def test_services_know_nothing_of_http() -> None:
    said = [
        f"{place(path, node)} {name}"
        for path, module in sources(*(PRODUCT - {"core"})).items()
        if path.stem in {"service", "models", "refusals"} or "service" in path.parts
        for node, name in imports(module)
        if name.split(".")[0] in {"flask", "werkzeug", "requests"} and name != "werkzeug.security"
    ]
    assert said == []


def test_only_the_compositions_read_the_environment() -> None:
    allowed = {"app.py", "worker.py", "deploy", "simulator", "tests", "bench"}
    # The embedded servers hand their own environment on to the processes that they start.
    readers = [
        place(path, node)
        for path, module in sources().items()
        if root_of(path) not in allowed and "embedded" not in path.parts
        for node in nodes(module)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv", "os.environb"}
    ]
    assert readers == []


def test_nothing_imports_the_compositions() -> None:
    importers = [
        f"{place(path, node)} {name}"
        for path, module in sources().items()
        if root_of(path) not in {"tests", "deploy", "bench", "simulator"}
        for node, name in imports(module)
        if name.split(".")[0] in {"app", "worker"}
    ]
    # worker.py is a composition too: it works inside the application.
    assert [name for name in importers if not name.startswith("worker.py:")] == []


def test_the_product_never_imports_the_outside_world_or_tests() -> None:
    inside = sources(*PRODUCT, "app.py", "worker.py")
    found = [
        f"{place(path, node)} {name}"
        for path, module in inside.items()
        for node, name in imports(module)
        if name.split(".")[0] in {"simulator", "tests", "deploy", "bench"}
    ]
    assert found == []


def test_a_package_sees_only_the_service_of_another() -> None:
    """What below the service changes is nobody else's business. Everybody may use core as it is."""
    found = [
        f"{place(path, node)} {ast.unparse(node)}"
        for path, module in sources(*(PRODUCT - {"core"})).items()
        for node in nodes(module)
        if isinstance(node, ast.Import | ast.ImportFrom) and sees_inside_another(root_of(path), node)
    ]
    assert found == []


def sees_inside_another(package: str, node: ast.Import | ast.ImportFrom) -> bool:
    others = PRODUCT - {"core", package}
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in others for alias in node.names)
    module = (node.module or "").split(".")
    return module[0] in others and module[-1] != "service" and [alias.name for alias in node.names] != ["service"]


def test_what_patients_read_is_asked_of_consent_with_the_item() -> None:
    """Whom a login holds is not enough: single reports and studies may be hidden from it (consent.is_readable)."""
    items, by_person = {"Report", "Study", "TimelineEntry"}, {"held_person_ids", "own_person_ids", "find_holding"}
    readers = {
        path: {node.attr for node in nodes(module) if isinstance(node, ast.Attribute)}
        for path, module in sources("records").items()
        if items & {alias.name for node in nodes(module) if isinstance(node, ast.ImportFrom) for alias in node.names}
    }
    assert [place(path) for path, names in readers.items() if by_person & names] == []
    assert [place(path) for path, names in readers.items() if "release" in names and "is_readable" not in names] == []
    assert sum("is_readable" in names for names in readers.values()) >= 3


def imports(module: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in nodes(module):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node, node.module
