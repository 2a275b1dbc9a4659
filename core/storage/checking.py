"""Whether what the rows name is there, and what is there that no row names."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import SYSTEM
from core.db import Base
from core.ids import new_id
from core.storage import stores
from core.storage.folder import make_folder
from core.storage.stored import Store, Stored

# First the file, then the row that names it: a younger one may still be on its way to its row.
ORPHANED_AFTER = timedelta(days=1)
PREFIXES = tuple(f"{number:02x}" for number in range(256))
# What keeps a file says so by these two columns; without the key the file is let go, and unreadable.
_ADDRESS, _KEY = "storage_key", "data_key"
_PIECE_BYTES = 1024 * 1024


@dataclass
class Findings:
    """``missing``: table and address of what a row names and no store has; ``damaged``: not what was written.

    ``orphans``: what no row names and is older than a day.
    """

    files: int = 0
    missing: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


@contextmanager
def named_addresses() -> Iterator[Path]:
    """A folder for what the rows name (``sort_named``), gone afterwards."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def look_through(named_in: Path, *, reads: bool = False) -> Findings:
    """Compare what the rows name with all stores; nothing is changed. Not inside a transaction: it may take hours.

    :param named_in: what ``sort_named`` has filled.
    :param reads: also read every file and compare it with its name, which takes as long as a copy of the store.
    :raises StorageSilent: a store does not answer.
    """
    findings = Findings()
    latest = clock.now() - ORPHANED_AFTER
    for prefix in PREFIXES:
        named = _read_named(named_in / prefix)
        found = [(store, one) for store in stores.everywhere() for one in store.list_files(prefix)]
        addresses = {one.address for _, one in found}
        findings.files += len(addresses)
        findings.missing += [(table, name) for name, table in sorted(named.items()) if name not in addresses]
        old = {one.address for _, one in found if one.changed_at < latest}
        findings.orphans += sorted(old - named.keys())
        if reads:
            findings.damaged += [one.address for store, one in found if not _is_whole(store, one)]
    return findings


def record_sweep(session: Session, findings: Findings) -> None:
    """Record that the orphans are about to be removed."""
    audit.record_act(session, SYSTEM, "core.files.swept", facts={"files": len(findings.orphans)})


def sweep(findings: Findings) -> int:
    """Remove the orphans, and what was left half received for a day; returns how many files.

    :raises StorageSilent: a store does not answer.
    """
    for address in findings.orphans:
        stores.discard(address)
    return len(findings.orphans) + _sweep_incoming()


def move_home() -> int:
    """Bring every file to where new files are kept, while all of them stay readable; returns how many were moved.

    Begun anew after an interruption it goes on with the rest.

    :raises StorageSilent: a store does not answer.
    :raises StorageFull: no room.
    """
    moved = 0
    for store in stores.everywhere():
        if store is not stores.home():
            moved += sum(_move(store, one) for one in store.list_files(""))
    return moved


def _move(store: Store, one: Stored) -> bool:
    """A file that is damaged stays where it is, to be looked at."""
    path = make_folder(stores.incoming()) / str(new_id())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        digest = hashlib.sha256()
        with os.fdopen(descriptor, "wb") as copy:
            for piece in _read(store, one):
                copy.write(piece)
                digest.update(piece)
            copy.flush()
            os.fsync(copy.fileno())
        if digest.hexdigest() != one.address:
            return False
        stores.home().bring(path, one.address)
        stores.home().settle(path, one.address)
        store.discard(one.address)
        return True
    finally:
        path.unlink(missing_ok=True)


def sort_named(session: Session, folder: Path) -> None:
    """Write what the rows name into 256 files: tens of millions of addresses are not held in memory at once."""
    with ExitStack() as stack:
        sorted_by = {prefix: stack.enter_context((folder / prefix).open("w")) for prefix in PREFIXES}
        for name, table in Base.metadata.tables.items():
            if _ADDRESS not in table.columns:
                continue
            address_of, key_of = table.columns[_ADDRESS], table.columns[_KEY]
            held = select(address_of).where(address_of.is_not(None), key_of.is_not(None))
            for address in session.execute(held.execution_options(yield_per=10_000)).scalars():
                sorted_by[address[:2]].write(f"{address} {name}\n")


def _read_named(path: Path) -> dict[str, str]:
    with path.open() as lines:
        return dict(line.split() for line in lines)


def _is_whole(store: Store, one: Stored) -> bool:
    digest = hashlib.sha256()
    for piece in _read(store, one):
        digest.update(piece)
    return digest.hexdigest() == one.address


def _read(store: Store, one: Stored) -> Iterator[bytes]:
    found = store.find(one.address)
    if found is not None:
        with found[0] as sealed:
            while piece := sealed.read(_PIECE_BYTES):
                yield piece


def _sweep_incoming() -> int:
    """What a process that was killed had begun to receive."""
    latest = clock.now() - ORPHANED_AFTER
    folder = stores.incoming()
    old = [
        Path(entry.path)
        for entry in (os.scandir(folder) if folder.is_dir() else ())
        if datetime.fromtimestamp(entry.stat().st_mtime, UTC) < latest
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
