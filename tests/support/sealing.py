"""Logs for tests: rows to seal, and every way to tamper with them."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg
from flask import Flask
from sqlalchemy import text

from core import audit, clock, db, keys
from core.actor import SYSTEM
from core.config import Config
from core.ids import new_id
from core.sealing.check_proof import Checkpoint
from core.sealing.copying import OutsideCopy, bring_out
from core.sealing.notes import KEY_PURPOSE, sign_checkpoint
from core.sealing.sealer import seal_waiting
from core.sealing.verifying import Report, verify_log

ORIGIN = "log.example/audit-log"


def act(count: int = 1, *, facts: dict[str, Any] | None = None) -> list[UUID]:
    """So many acts, each about somebody else; gives the ids of their rows, in their order."""
    people = [new_id() for _ in range(count)]
    with db.transaction() as session:
        for person in people:
            audit.record_act(session, SYSTEM, "core.test.done", subject_id=person, of=("test", new_id()), facts=facts)
    with db.transaction() as session:
        rows = session.execute(
            text("SELECT subject_id, id FROM audit_entries WHERE subject_id = ANY(:people)"), {"people": people}
        )
        ids = {person: entry_id for person, entry_id in rows}
    return [ids[person] for person in people]


def seal(copy: OutsideCopy | None = None, *, most: int = 8192) -> int:
    """Seal all that waits, under as many checkpoints as that takes; returns how many rows it were."""
    sealed = 0
    while True:
        mark = copy.read_mark() if copy else None
        with db.transaction() as session:
            now = seal_waiting(session, ORIGIN, outside=mark, most=most)
        if not now:
            break
        sealed += now
    if copy:
        bring_out(copy)
    return sealed


def verify(copy: OutsideCopy | None = None) -> Report:
    """What verifying finds."""
    with db.snapshot() as session:
        return verify_log(cast("psycopg.Connection[Any]", session.connection().connection.driver_connection), copy)
