"""Looks that repeat, in statements written by hand: decided by the statement that reads, which says whether the look is
in the log already (``fold_within`` of ``release``). Who scrolls through a series asks for hundreds of pictures.
"""

from datetime import timedelta
from typing import Any

from consent.service.release import SHARED
from core import audit, statements
from core.actor import Actor, ActorKind

_LOOKS = """
SELECT look.person_id, look.object_id, {is_recorded} AS is_recorded
FROM (SELECT DISTINCT person_id, object_id FROM found) look CROSS JOIN LATERAL ({basis}) basis
"""
_IS_RECORDED = audit.IS_RECORDED.format("look.person_id", "look.object_id", "basis.id", "basis.version")
_BY_HOLDER = statements.compose(
    _LOOKS, is_recorded=_IS_RECORDED, basis="SELECT NULL::uuid AS id, NULL::integer AS version"
)
_BY_HOUSE = statements.compose(_LOOKS, is_recorded=_IS_RECORDED, basis=SHARED.format("look.person_id"))


def looks_of(actor: Actor) -> str:
    """The query of a statement's part ``looks(person_id, object_id, is_recorded)``, of what its part ``found`` has.

    To be joined: what a hospital has found and no grant shows it any more is not there. The grant's row is share-locked
    until the statement's transaction ends, as by ``release``. What is not recorded has to be asked of ``release``.
    """
    return _BY_HOLDER if actor.kind is ActorKind.PATIENT else _BY_HOUSE


def look_values(actor: Actor, action: str, *, fold_within: timedelta) -> dict[str, Any]:
    """The values that ``looks_of`` asks for, beside those of ``gate_values``."""
    return audit.folding_values(actor, action, within=fold_within)
