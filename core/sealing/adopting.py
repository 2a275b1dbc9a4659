"""After an older backup was put back: what the database has lost of the log is taken from the copy outside it."""

from itertools import islice

from sqlalchemy.orm import Session

from core import audit, clock, keys
from core.actor import Actor
from core.sealing.check_proof import Checkpoint
from core.sealing.copying import OutsideCopy, check_mark
from core.sealing.merkle import GrowingTree
from core.sealing.models import LogCheckpoint
from core.sealing.notes import KEY_PURPOSE, sign_checkpoint
from core.sealing.reading import KeptHashes, LogDamaged, find_last
from core.sealing.sealer import lock_log, write_leaves
from core.sealing.verifying_copy import list_leaves

# So many leaves at a time are held in memory.
_MOST = 8192


def adopt_copy(session: Session, actor: Actor, copy: OutsideCopy) -> int:
    """Go on with the log where the copy ends: leaves that only the copy has stay in it, without their rows.

    :returns: how many leaves that were; 0 when the database has all of them.
    :raises LogDamaged: the copy does not begin with the leaves that the database has, or does not hold together.
    """
    lock_log(session)
    mark, last = copy.read_mark(), find_last(session)
    size, root = (last[0].size, last[0].root) if last else (0, GrowingTree().root)
    if mark is None or mark.size <= size:
        check_mark(mark, KeptHashes(session, size))
        return 0
    leaves, tree = list_leaves(copy, mark.size), GrowingTree()
    for leaf in islice(leaves, size):
        tree.add(leaf)
    if (tree.size, tree.root) != (size, root):
        raise LogDamaged(f"the copy does not begin with the {size} leaves that were signed here")
    while chunk := list(islice(leaves, _MOST)):
        write_leaves(session, tree, [(None, None, leaf) for leaf in chunk])
    if (tree.size, tree.root) != (mark.size, mark.root):
        raise LogDamaged(f"the {mark.size} leaves of the copy do not lead to the root that was signed")
    # Signed again: the key that signed the copy may have been lost with the rest.
    note = sign_checkpoint(Checkpoint(mark.origin, mark.size, mark.root), keys.ring(session, KEY_PURPOSE).signing_key)
    session.add(LogCheckpoint(size=mark.size, sealed_at=clock.now(), note=note))
    audit.record_act(session, actor, "core.audit_log.adopted", facts={"from": size, "to": mark.size})
    return mark.size - size
