"""``make verify-audit``: whether the audit log is what was sealed, by whoever may read the database, or only its copy.

Without options: the database at $DATABASE_URL and the copy in $AUDIT_COPY_DIR, or those of ``make run``.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg

from core.embedded import find_address
from core.sealing.commands import report_on
from core.sealing.copying import OutsideCopy
from deploy.run import ROOT

RUN_FOLDER = ROOT / "var"


def main(arguments: Sequence[str]) -> int:
    """Verify. Returns the exit code: 0 when all holds, 1 when something is wrong, 2 when it cannot be looked at."""
    parser = argparse.ArgumentParser(prog="make verify-audit", description=__doc__)
    parser.add_argument("--database", default=os.environ.get("DATABASE_URL"), help="an address of PostgreSQL")
    parser.add_argument("--copy", default=os.environ.get("AUDIT_COPY_DIR"), help="the folder of the copy outside it")
    parser.add_argument("--only-copy", action="store_true", help="without a database")
    given = parser.parse_args(arguments)
    folder = given.copy or (None if given.database else RUN_FOLDER / "audit-log")
    copy = OutsideCopy(Path(folder)) if folder else None
    if given.only_copy:
        return report_on(None, copy, print)
    address = given.database or find_address(RUN_FOLDER)
    try:
        with psycopg.connect((address or "").replace("+psycopg", "", 1)) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            return report_on(connection, copy, print)
    except psycopg.OperationalError:
        print("No database answers: name it in DATABASE_URL, or look at the copy alone (--only-copy).")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
