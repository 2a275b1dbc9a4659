"""The files of an export: each slice is a sealed ZIP of its own, and the archive is made of them."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO, cast
from uuid import UUID

from flask import render_template

from accounts import service as accounts
from consent import service as consent
from core import storage
from core.config import Config
from core.pages import city_time
from records.documents import words
from records.documents.service import PrintedReport
from records.entries import wording
from records.exports import fhir, papers
from records.exports.collecting import Cover, Slice
from records.exports.fhir import Paper
from records.exports.service import PartFile, Step

_CONTENTS = "contents.json"
# DOS times of ZIP have no zone; nothing is said by them.
_WHEN = (1980, 1, 1, 0, 0, 0)
_TEMPLATES = "records/export"


def write_part(
    file: storage.Staged, step: Step, found: Slice, printed: Iterable[PrintedReport], config: Config
) -> tuple[tuple[UUID, bytes], ...]:
    """One slice: FHIR lines, pages to read, documents, and what the table of contents says of them.

    :returns: the documents that can be proven, by id, with the SHA-256 of each file.
    """
    with _zip(file) as archive:
        drawn, on_paper = [], {}
        for each in printed:
            paper, document = papers.draw_paper(each, config)
            drawn.append((each.document_id, bytes.fromhex(_add(archive, paper.name, document))))
            on_paper[each.report.id] = [paper, *_add_papers(archive, each.report.id, found)]
        for name, content in _files(step, found, on_paper):
            _add(archive, name, content)
        _add(archive, _CONTENTS, json.dumps(_contents(step, found), ensure_ascii=False))
    return tuple(drawn)


def write_archive(file: storage.Staged, step: Step, cover: Cover, parts: Iterable[PartFile], base_url: str) -> None:
    """The archive: every file of every slice, then the table of contents and the list of files with their SHA-256."""
    hashes: dict[str, str] = {}
    contents: list[dict[str, Any]] = []
    with _zip(file) as archive:
        for part in parts:
            with storage.open_file(part.storage_key, part.data_key) as stream, zipfile.ZipFile(stream) as of_part:
                for name in of_part.namelist():
                    data = of_part.read(name)
                    if name == _CONTENTS:
                        contents += json.loads(data)
                    else:
                        hashes[name] = _add(archive, name, data)
        patient = fhir.write_lines([fhir.show_patient(step.person_id, cover.person)])
        hashes["fhir/Patient.ndjson"] = _add(archive, "fhir/Patient.ndjson", patient)
        hashes["style.css"] = _add(archive, "style.css", render_template(f"{_TEMPLATES}/style.css"))
        index = render_template(
            f"{_TEMPLATES}/index.html",
            cover=cover,
            kinds=_sort(contents),
            until=step.until,
            base_url=base_url,
            sex_words=words.SEX,
            entry_words=wording,
            departments=accounts.DEPARTMENTS,
        )
        hashes["index.html"] = _add(archive, "index.html", index)
        manifest = {"as_of": step.until.isoformat(), "sha256": hashes}
        _add(archive, "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1))


def _add_papers(archive: zipfile.ZipFile, report_id: UUID, found: Slice) -> Iterator[Paper]:
    for paper, content in papers.read_papers(report_id, found.attachments[report_id]):
        if content is not None:
            _add(archive, paper.name, content)
            yield paper


def _files(step: Step, found: Slice, on_paper: dict[UUID, list[Paper]]) -> Iterator[tuple[str, str | bytes]]:
    person, part = step.person_id, _part(step)
    lines = {
        "Encounter": [fhir.show_visit(person, visit) for visit in found.visits],
        "DiagnosticReport": [fhir.show_report(person, report, on_paper[report.id]) for report in found.reports],
        "Observation": [line for report in found.reports for line in fhir.show_lines(person, report)],
        "ImagingStudy": [fhir.show_study(person, study) for study in found.studies],
    }
    for entry in found.entries:
        lines.setdefault(entry.resource_type, []).append(fhir.show_entry(person, entry))
    for kind, resources in lines.items():
        if resources:
            yield f"fhir/{kind}-{part}.ndjson", fhir.write_lines(resources)
    for report in found.reports:
        said: dict[str, Any] = {"report": report, "words": words, "papers": on_paper[report.id]}
        said["missing"] = 1 + len(found.attachments[report.id]) - len(on_paper[report.id])
        yield f"reports/{report.id}.html", render_template(f"{_TEMPLATES}/report.html", **said)
    if found.entries:
        page = render_template(f"{_TEMPLATES}/entries.html", entries=found.entries, words=wording)
        yield f"entries-{part}.html", page
    for entry in found.entries:
        for document in entry.documents:
            yield f"entries/{entry.id}/{document.file_name}", document.content
    if found.accesses:
        rows = [vars(row) for row in found.accesses]
        written = [f"{json.dumps(row, default=str, ensure_ascii=False)}\n" for row in rows]
        yield f"access-log-{part}.ndjson", "".join(written)
        for entry_id, proof in found.proofs.items():
            yield _proof_name(entry_id), proof
        said = {"rows": found.accesses, "item_words": consent.KIND_WORDS}
        said["proofs"] = {entry_id: _proof_name(entry_id) for entry_id in found.proofs}
        yield f"access-log-{part}.html", render_template(f"{_TEMPLATES}/accesses.html", **said)


def _proof_name(entry_id: UUID) -> str:
    return f"access-log-proofs/{entry_id}.tlog-proof"


def _contents(step: Step, found: Slice) -> list[dict[str, Any]]:
    """A line each: kind, time, where, and what is needed to say what it is."""
    lines: list[dict[str, Any]] = []
    for visit in found.visits:
        said: dict[str, Any] = {"of": visit.kind, "code": visit.department}
        lines.append(_line("visit", visit.opened_at, visit.hospital_name) | said)
    for report in found.reports:
        said = {"title": report.name, "status": report.status, "version": report.version, "id": str(report.id)}
        lines.append(_line("report", report.performed_at, report.hospital_name) | said)
    for study in found.studies:
        said = {"title": study.description, "images": study.instance_count, "id": study.study_instance_uid}
        lines.append(_line("study", study.studied_at, study.hospital_name) | said | {"modalities": study.modalities})
    for entry in found.entries:
        said = {"title": entry.name, "of": entry.category, "status": entry.status, "id": str(entry.id)}
        lines.append(_line("entry", entry.occurred_at, entry.hospital_name) | said | {"file": _part(step)})
    if found.accesses:
        lines.append(_line("access", found.accesses[0].at, "") | {"rows": len(found.accesses), "file": _part(step)})
    return lines


def _part(step: Step) -> str:
    return f"{step.number + 1:04d}"


def _line(kind: str, at: datetime, hospital_name: str) -> dict[str, Any]:
    return {"kind": kind, "at": at.isoformat(), "hospital": hospital_name}


def _sort(contents: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """By kind, the newest first, with the time as people read it."""
    kinds: dict[str, list[dict[str, Any]]] = {"visit": [], "report": [], "study": [], "access": [], "entry": []}
    for line in sorted(contents, key=lambda line: str(line["at"]), reverse=True):
        kinds[line["kind"]].append(line | {"time": city_time(datetime.fromisoformat(line["at"]))})
    return kinds


@contextmanager
def _zip(file: storage.Staged) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(cast(BinaryIO, _Sink(file)), "w", zipfile.ZIP_DEFLATED) as archive:
        yield archive
    file.finish()


def _add(archive: zipfile.ZipFile, name: str, content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    entry = zipfile.ZipInfo(name, _WHEN)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)
    return hashlib.sha256(data).hexdigest()


class _Sink(io.RawIOBase):
    """A stream that only goes forward, into a sealed file."""

    def __init__(self, file: storage.Staged) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        return len(data)
