"""What README, ARCHITECTURE.md and docs/ name is there: files, tests, addresses, codes, settings, make targets."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from flask import Flask

from tests.test_architecture import PRODUCT, ROOT, tracked_files

# Addresses that others serve: Orthanc, and the city's real-name source.
OF_OTHERS = ("/dicom-web/", "/realname/v1/")


@cache
def documents() -> dict[str, str]:
    """Every page that people read, but what is written by the code itself."""
    pages = (path for path in tracked_files() if path.suffix == ".md" and path.name != "errors.md")
    return {str(path.relative_to(ROOT)): path.read_text() for path in pages}


def quoted(pattern: str) -> Iterator[tuple[str, str]]:
    """The page, and what stands there in backticks, where it has this form."""
    return (
        (page, found.group(1))
        for page, text in documents().items()
        for found in re.finditer(r"`([^`\n]+)`", text)
        if re.fullmatch(pattern, found.group(1))
    )


@cache
def code() -> str:
    """All that is written in Python and in the files beside it that set things."""
    texts = (path for path in tracked_files() if path.suffix in {".py", ".toml", ".sh"} or path.name == "Makefile")
    return "\n".join(path.read_text() for path in texts)


def test_files_that_documents_name_exist() -> None:
    files = {path.relative_to(ROOT) for path in tracked_files()}
    folders = {folder for path in files for folder in path.parents}
    roots = {path.parts[0] for path in files}
    names = {path.name for path in files}
    missing = [
        (page, name)
        for page, name in quoted(r"[\w.][\w./-]*")
        if (name.split("/")[0] in roots and "/" in name and not {Path(name)} & (files | folders))
        or (re.fullmatch(r"test_\w+\.py|\w+\.py", name) and name not in names)
    ]
    assert missing == []


def test_addresses_that_documents_name_are_served(migrated_app: Flask) -> None:
    served = [
        f"{method} {re.sub(r'<[^>]*>', '{}', rule.rule).rstrip('/')}"
        for rule in migrated_app.url_map.iter_rules()
        for method in rule.methods or ()
    ]
    missing = []
    for page, text in documents().items():
        for method, address in re.findall(
            r"`(GET|POST|PUT|DELETE|PATCH) (?:\.\.\.)?(/(?:\{[^}]*\}|<[^>]*>|[^\s`?{<])*)", text
        ):
            parts = (re.escape(part) for part in re.split(r"<[^>]*>|\{[^}]*\}", address))
            # A page names the beginning of its addresses once; what stands in brackets is any one part.
            form = re.compile(f"{method} .*{'[^/]+'.join(parts)}")
            if not any(map(form.fullmatch, served)) and not address.startswith(OF_OTHERS):
                missing.append((page, method, address))
    assert missing == []


def test_codes_and_functions_that_documents_name_are_in_the_code() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in tracked_files()}
    packages = {name.rpartition(".")[0] for name in modules}

    def is_there(name: str) -> bool:
        module, _, last = name.rpartition(".")
        return name in code() or name in packages or (module in modules and last in modules[module].read_text())

    named = set(quoted(rf"(?:{'|'.join(sorted(PRODUCT))})\.[a-z_.]+[a-z]"))
    assert sorted((page, name) for page, name in named if not is_there(name)) == []


def test_settings_that_documents_name_are_read() -> None:
    named = set(quoted(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?:=\S+)?"))
    written = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", code()))
    # Decision records also name what Linux calls its rights.
    pages = ((page, name.split("=")[0]) for page, name in named if not page.startswith("docs/adr/"))
    assert sorted((page, name) for page, name in pages if name not in written) == []


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    missing = [
        (page, target)
        for page, text in documents().items()
        for target in re.findall(r"(?:`|^\s*)make ([a-z-]+)\b", text, re.MULTILINE)
        if target not in targets
    ]
    assert missing == []
