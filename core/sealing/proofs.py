"""Proofs that rows stand in the log, for whoever takes his part of it away."""

import base64
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from sqlalchemy.orm import Session

from core import statements
from core.sealing.check_proof import FIRST_LINE
from core.sealing.leaves import READ_COLUMNS, write_leaf
from core.sealing.merkle import TILE_BITS, prove_inclusion
from core.sealing.reading import KeptHashes, find_last

_LEAVES = """
SELECT leaf.index, leaf.entry_id, leaf.salt, {columns}
FROM audit_leaves leaf JOIN audit_entries entry ON entry.id = leaf.entry_id
WHERE leaf.entry_id = ANY(%(ids)s) AND leaf.index < %(size)s
"""
_SELECT_LEAVES = statements.compose(_LEAVES, columns=READ_COLUMNS)


@dataclass(frozen=True)
class Proof:
    """That an entry stands in the log at a place.

    :ivar hashes: from the leaf's sibling up to the root's child (RFC 6962, section 2.1.1).
    :ivar checkpoint: the signed note.
    :ivar leaf: the entry as it was sealed: canonical JSON of the row, with its salt.
    """

    index: int
    hashes: list[bytes]
    checkpoint: str
    salt: bytes
    leaf: str

    def __str__(self) -> str:
        """A file of the format c2sp.org/tlog-proof; its extra data is the leaf."""
        hashes = "".join(f"{_encode(each)}\n" for each in self.hashes)
        return f"{FIRST_LINE}\nextra {_encode(self.leaf.encode())}\nindex {self.index}\n{hashes}\n{self.checkpoint}"


def list_proofs(session: Session, entry_ids: Set[UUID]) -> Mapping[UUID, Proof]:
    """Proofs of audit rows under the newest checkpoint; rows that are not sealed yet have none.

    :raises LogDamaged: hashes of the log are gone.
    """
    last = find_last(session)
    if last is None:
        return {}
    checkpoint, note = last
    rows = statements.list_rows(session, _SELECT_LEAVES, {"ids": list(entry_ids), "size": checkpoint.size})
    kept = KeptHashes(session, checkpoint.size)
    kept.fetch_tiles(0, {index >> TILE_BITS for index, *_ in rows})
    read = cache(kept.read)
    return {
        entry_id: Proof(index, prove_inclusion(read, index, checkpoint.size), note, salt, _write(salt, columns))
        for index, entry_id, salt, *columns in rows
    }


def _write(salt: bytes, columns: list[object]) -> str:
    return write_leaf(salt, columns).decode()


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()
