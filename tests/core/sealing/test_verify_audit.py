"""Verifying from the command line, with the database or with its copy alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from core import db
from core.sealing.copying import OutsideCopy
from deploy import verify_audit
from tests.support.sealing import act, seal


def run(app: Flask) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=["verify-audit"], catch_exceptions=False)
    return done.exit_code, done.output


def run_on_copy(copy: OutsideCopy, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = verify_audit.main(["--only-copy", "--copy", str(copy.folder)])
    return code, capsys.readouterr().out


def test_a_log_that_holds_ends_with_0_and_says_what_was_looked_at(app: Flask, copy: OutsideCopy) -> None:
    act(3)
    seal(copy)
    act()
    mark = copy.read_mark()
    assert mark is not None
    code, said = run(app)
    assert (code, said.splitlines()[-1]) == (0, "the log holds")
    assert f"{mark.size} sealed rows" in said
    assert "1 rows wait" in said
    assert f"the copy outside the database has {mark.size} of them" in said


def test_what_is_wrong_is_named_and_ends_with_1(app: Flask, copy: OutsideCopy) -> None:
    one, other = act(2)
    seal(copy)
    with db.transaction() as session:
        session.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
        session.execute(text("UPDATE audit_entries SET purpose = 'forged' WHERE id = :id"), {"id": one})
        session.execute(text("DELETE FROM audit_entries WHERE id = :id"), {"id": other})
    code, said = run(app)
    assert code == 1
    assert f"edited: row {one}" in said
    assert f"deleted: row {other}" in said
    assert said.splitlines()[-1] == "NOT AS SEALED"


def test_without_a_copy_it_is_said_what_is_not_noticed(app: Flask, copy: OutsideCopy) -> None:
    act()
    seal()
    code, said = run(app)
    assert (code, "there is no copy in this folder" in said) == (1, True)


def change(path: str) -> Callable[[Path], object]:
    def damage(folder: Path) -> object:
        content = bytearray((folder / path).read_bytes())
        content[5] ^= 1
        return (folder / path).write_bytes(content)

    return damage


def sign_as_another(folder: Path) -> None:
    note = (folder / "checkpoint").read_text()
    (folder / "checkpoint").write_text(note.replace("log.example", "bad.example"))


def claim_more(folder: Path) -> None:
    lines = (folder / "checkpoint").read_text().split("\n")
    (folder / "checkpoint").write_text("\n".join([lines[0], str(int(lines[1]) + 1), *lines[2:]]))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a leaf": (change("tile/0/000"), "do not lead to the root"),
    "a whole tile is gone": (lambda folder: (folder / "tile/0/000").unlink(), "has 0 leaves"),
    "a node": (change("tile/1/000.p/1"), "tile/1/000.p/1 of the copy does not follow"),
    "another name": (sign_as_another, "no known key"),
    "another size": (claim_more, "is wrong"),
    "no keys": (lambda folder: (folder / "keys").unlink(), "no known key"),
    "nothing": (lambda folder: (folder / "checkpoint").unlink(), "there is no copy"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_copy_is_noticed_without_the_database(
    app: Flask, copy: OutsideCopy, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    fill_first_tile(copy)
    assert run_on_copy(copy, capsys)[0] == 0
    do, wanted = DAMAGES[damage]
    do(copy.folder)
    code, said = run_on_copy(copy, capsys)
    assert code == 1
    assert wanted in said
    assert run(app)[0] == 1


def fill_first_tile(copy: OutsideCopy) -> None:
    """A log of less than two tiles, whatever was written before."""
    with db.transaction() as session:
        for table in ("audit_entries", "audit_leaves", "audit_nodes", "audit_checkpoints"):
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for table in ("audit_entries", "audit_unsealed", "audit_leaves", "audit_nodes", "audit_checkpoints"):
            session.execute(db.orm.metadata.tables[table].delete())
        for table in ("audit_entries", "audit_leaves", "audit_nodes", "audit_checkpoints"):
            session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
    act(300)
    seal(copy)


def test_where_there_is_no_database_it_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    assert verify_audit.main(["--database", nowhere, "--copy", str(tmp_path)]) == 2
    assert "No database answers" in capsys.readouterr().out
