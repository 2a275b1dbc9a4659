"""The gate as parts of statements that are written by hand: what ``release.is_readable`` says, for hot paths."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from consent.service.release import SHARED
from core import audit, clock, statements
from core.actor import Actor, ActorKind
from health_card import service as health_card

_IS_HELD_NOW = """
special.is_held AND special.released_at IS NULL AND (special.opens_at IS NULL OR special.opens_at > %(now)s)
"""
_KNOWN_TO_HOLDER = statements.compose(
    """
NOT EXISTS (
    SELECT FROM hidden_items hidden
    WHERE hidden.object_id = {item} AND hidden.shown_at IS NULL
        AND hidden.person_id NOT IN (SELECT id FROM readable WHERE is_own)
) AND NOT EXISTS (
    SELECT FROM restricted_items special
    WHERE special.object_id = {item} AND (({is_held}) OR (
        special.sensitivity IS NOT NULL AND special.person_id NOT IN (SELECT id FROM readable WHERE is_confided)
    ))
)
""",
    item="{0}",
    is_held=_IS_HELD_NOW,
)
_SHARED_RECORDS = """
SELECT member.id, member.root_id, NULL::text AS relation, false AS is_own, false AS is_confided
FROM grants granted
    JOIN persons named ON named.id = granted.person_id
    JOIN persons member ON member.root_id = named.root_id
WHERE granted.hospital_id = %(hospital_id)s AND granted.revoked_at IS NULL
    AND granted.starts_at <= %(now)s AND granted.expires_at > %(now)s
GROUP BY member.id
"""
_KNOWN_TO_HOUSE = """
NOT EXISTS (
    SELECT FROM restricted_items special
    WHERE special.object_id = {0} AND special.sensitivity IS NOT NULL AND special.disclosed_at IS NULL
        AND special.hospital_id IS DISTINCT FROM %(hospital_id)s
)
"""
# Whether the person keeps an item from those who act for him, as a patient is told.
_HIDDEN = "EXISTS (SELECT FROM hidden_items hidden WHERE hidden.object_id = {0} AND hidden.shown_at IS NULL)"
# What is special about an item, as ``list_restrictions`` says.
RESTRICTION = statements.compose(
    """
SELECT special.sensitivity, ({is_held}) AS is_held, special.disclosed_at IS NOT NULL AS is_disclosed
FROM restricted_items special WHERE special.object_id = {item}
""",
    item="{0}",
    is_held=_IS_HELD_NOW,
)

_LOOKS = """
SELECT look.person_id, look.object_id, {is_recorded} AS is_recorded
FROM (SELECT DISTINCT person_id, object_id FROM found) look CROSS JOIN LATERAL ({basis}) basis
"""
_IS_RECORDED = audit.IS_RECORDED.format("look.person_id", "look.object_id", "basis.id", "basis.version")
_LOOKS_OF_HOLDER = statements.compose(
    _LOOKS, is_recorded=_IS_RECORDED, basis="SELECT NULL::uuid AS id, NULL::integer AS version"
)
_LOOKS_OF_HOUSE = statements.compose(_LOOKS, is_recorded=_IS_RECORDED, basis=SHARED.format("look.person_id"))


@dataclass(frozen=True)
class Gate:
    """What a statement asks so that the actor sees of records what he may, and nothing else.

    The texts with ``{0}`` are for ``str.format``: the column that names the item.

    :ivar readable: the query of the statement's part ``readable(id, root_id, relation)``: each record whose items the
        actor may see, and what its person is to a login. To narrow it to one person, ask of ``root_id``.
    :ivar is_known: a condition, where ``readable`` stands: whether the actor may know of the item.
    :ivar is_hidden: an expression: whether the item is hidden, as far as the actor is told.
    :ivar looks: the query of the statement's part ``looks(person_id, object_id, is_recorded)``, of what its part
        ``found`` has: whether a look at it is in the log, so that this one folds into it (``release``); what is not has
        to be asked of ``release``. To be joined: what no grant shows any more is not there. The grant's row is
        share-locked until the statement's transaction ends.
    """

    readable: str
    is_known: str
    is_hidden: str
    looks: str


_OF_HOLDER = Gate(health_card.HELD_RECORDS, _KNOWN_TO_HOLDER, _HIDDEN, _LOOKS_OF_HOLDER)
_OF_HOUSE = Gate(_SHARED_RECORDS, _KNOWN_TO_HOUSE, "false", _LOOKS_OF_HOUSE)


def gate_of(actor: Actor) -> Gate:
    """One of two that do not change: a statement composed of it may be kept."""
    return _OF_HOLDER if actor.kind is ActorKind.PATIENT else _OF_HOUSE


def gate_values(actor: Actor) -> dict[str, Any]:
    """The values that the parts of ``gate_of`` ask for, and those of ``RESTRICTION``."""
    if actor.kind is ActorKind.PATIENT:
        return health_card.holder_values(actor)
    return {"hospital_id": actor.hospital_id, "now": clock.now()}


def look_values(actor: Actor, action: str, *, fold_within: timedelta) -> dict[str, Any]:
    """The values that ``Gate.looks`` asks for, beside those of ``gate_values``.

    :param action: what the look is called in the log, and ``fold_within``: as of ``release``.
    """
    return audit.folding_values(actor, action, within=fold_within)
