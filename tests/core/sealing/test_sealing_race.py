"""Sealers at the same moment, and acts that commit late: no row is left out, none gets two places."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from core import audit, db
from core.actor import SYSTEM
from core.appending import write_appended
from core.ids import new_id
from core.sealing.copying import OutsideCopy, bring_out
from core.sealing.models import LogLeaf, UnsealedEntry
from core.sealing.sealer import seal_waiting
from deploy import verify_audit
from tests.support.sealing import ORIGIN, act, seal, verify

SEALERS, WRITERS, ROWS = 3, 4, 40


def test_sealers_at_once_give_each_row_one_place(committing_app: Flask, tmp_path: Path) -> None:
    seal()
    copy, done = OutsideCopy(tmp_path), threading.Event()

    def write(_: int) -> list[object]:
        with committing_app.app_context():
            return [entry_id for _ in range(ROWS) for entry_id in act()]

    def seal_on(_: int) -> int:
        sealed = 0
        with committing_app.app_context():
            while not done.is_set():
                with db.transaction() as session:
                    sealed += seal_waiting(session, ORIGIN, outside=copy.read_mark(), most=7)
                bring_out(copy)
        return sealed

    with ThreadPoolExecutor(SEALERS + WRITERS) as pool:
        sealers = [pool.submit(seal_on, number) for number in range(SEALERS)]
        written = [entry_id for ids in pool.map(write, range(WRITERS)) for entry_id in ids]
        done.set()
        sealed = sum(sealer.result() for sealer in sealers)
    sealed += seal(copy)
    assert len(written) == WRITERS * ROWS <= sealed
    with db.transaction() as session:
        places = session.scalars(select(LogLeaf.index).where(LogLeaf.entry_id.in_(written))).all()
        assert len(places) == len(written)
        assert (
            session.scalar(select(func.count(UnsealedEntry.entry_id)).where(UnsealedEntry.entry_id.in_(written))) == 0
        )
    assert verify(copy).found == []


def test_one_sealer_works_while_another_does(committing_app: Flask) -> None:
    seal()
    (waiting,) = act()
    with ThreadPoolExecutor(1) as pool, db.transaction() as session:
        assert seal_waiting(session, ORIGIN, outside=None) >= 1

        def also() -> int:
            with committing_app.app_context(), db.transaction() as other:
                return seal_waiting(other, ORIGIN, outside=None)

        assert pool.submit(also).result(timeout=60) == 0
    with db.transaction() as session:
        assert session.scalar(select(func.count(LogLeaf.index)).filter_by(entry_id=waiting)) == 1


def test_what_commits_late_is_sealed_after_what_came_later(committing_app: Flask) -> None:
    late = new_id()
    seal()
    with ThreadPoolExecutor(1) as pool, db.transaction() as slow:
        audit.record_act(slow, SYSTEM, "core.test.slow", subject_id=late)
        write_appended(slow)

        def meanwhile() -> list[object]:
            with committing_app.app_context():
                ids = act(3)
                seal()
                return [*ids]

        early = pool.submit(meanwhile).result(timeout=60)
    assert seal() >= 1
    with db.transaction() as session:
        entry = audit.AuditEntry
        index = select(LogLeaf.index).join(entry, entry.id == LogLeaf.entry_id)
        place = session.scalars(index.where(entry.subject_id == late)).one()
        places = session.scalars(index.where(entry.id.in_(early))).all()
    assert len(places) == 3
    assert place > max(places)


def test_who_may_only_read_verifies_with_the_address_alone(
    committing_app: Flask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, address = OutsideCopy(tmp_path), db.orm.engine.url.render_as_string(hide_password=False)
    act()
    seal(copy)
    assert verify_audit.main(["--database", address, "--copy", str(tmp_path)]) == 0
    assert verify_audit.main(["--database", address]) == 0
    assert "compared with no copy" in capsys.readouterr().out
    (tmp_path / "checkpoint").unlink()
    assert verify_audit.main(["--database", address, "--copy", str(tmp_path)]) == 1
