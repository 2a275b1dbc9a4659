"""The gate as parts of statements that are written by hand: what ``release.is_readable`` says, for hot paths."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from consent.service import scoping
from consent.service.choosing import unlimited
from consent.service.restricting import KEPT_FROM_HOUSE, KEPT_FROM_LINK
from core import audit, statements
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
SELECT member.id, member.root_id, NULL::text AS relation, false AS is_own, false AS is_confided,
    bool_or({is_whole}) AS is_whole
FROM grants granted
    JOIN persons named ON named.id = granted.person_id
    JOIN persons member ON member.root_id = named.root_id
WHERE {to_actor} AND {in_force}
GROUP BY member.id
"""
# By the item's own facts, of the person whose records the row of ``readable`` is.
_COVERING = """
SELECT FROM shareable_items thing, grants granted JOIN persons named ON named.id = granted.person_id
WHERE thing.object_id = {item} AND named.root_id = readable.root_id AND {to_actor} AND {in_force} AND {covers}
"""
_KNOWN_BY_GRANT = """
NOT EXISTS (
    SELECT FROM restricted_items special
    WHERE special.object_id = {item} AND {is_secret} AND NOT EXISTS (
        {covering_secret} AND special.sensitivity = ANY(granted.sensitivities)
    )
) AND {in_scope}
"""
# What the patient does not see yet himself, and what is kept from somebody who may have made the link.
_NOT_FOR_LINKS = statements.compose(
    """
AND NOT EXISTS (SELECT FROM hidden_items hidden WHERE hidden.object_id = {item} AND hidden.shown_at IS NULL)
AND NOT EXISTS (SELECT FROM restricted_items special WHERE special.object_id = {item} AND ({is_held}))
""",
    item="{0}",
    is_held=_IS_HELD_NOW,
)
_IN_SCOPE = "(readable.is_whole OR EXISTS ({covering}))"
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

_LOOKS_OF_HOLDER = """
SELECT look.person_id, look.object_id, {is_recorded} AS is_recorded
FROM (SELECT DISTINCT person_id, object_id FROM found) look
    CROSS JOIN (SELECT NULL::uuid AS id, NULL::integer AS version) basis
"""
# Under one grant of the whole record, without a count of uses, by which files can be taken too. Whatever else is looked
# at by is for ``release``.
_LOOKS_BY_GRANT = """
SELECT look.person_id, look.object_id, coalesce(basis.is_recorded, false) AS is_recorded
FROM (
    SELECT person_id, object_id, array_agg(DISTINCT study_id) AS items FROM found GROUP BY person_id, object_id
) look LEFT JOIN LATERAL (SELECT {is_recorded} AS is_recorded FROM ({unlimited}) basis) basis ON true
"""
_DOWNLOADED = " AND granted.may_download"
_IS_RECORDED = audit.IS_RECORDED.format("look.person_id", "look.object_id", "basis.id", "basis.version")


@dataclass(frozen=True)
class Gate:
    """What a statement asks so that the actor sees of records what he may, and nothing else.

    The texts with ``{0}`` are for ``str.format``: the column that names the item.

    :ivar readable: the query of the statement's part ``readable(id, root_id, relation, is_whole)``: each record of
        whose items the actor may see any, what its person is to a login, and whether a grant narrows nothing. To
        narrow it to one person, ask of ``root_id``.
    :ivar is_known: a condition, where a row ``readable`` of the item's record is joined: whether the actor may know of
        the item.
    :ivar is_in_scope: the same, but for what is special about single items: of what is shown with an item, such as its
        visit.
    :ivar is_hidden: an expression: whether the item is hidden, as far as the actor is told.
    :ivar looks: the query of the statement's part ``looks(person_id, object_id, is_recorded)``, of what its part
        ``found`` has (``study_id``: the item): whether a look at it is in the log, so that this one folds into it
        (``release``); what is not has to be asked of ``release``. The grant's row is share-locked until the
        statement's transaction ends.
    """

    readable: str
    is_known: str
    is_in_scope: str
    is_hidden: str
    looks: str


def _gate_by_grant(*, is_link: bool) -> Gate:
    """For those who see by grants."""
    granted = {
        "to_actor": (scoping.TO_LINK if is_link else scoping.TO_HOUSE).format(grant="granted"),
        "in_force": scoping.IN_FORCE.format(grant="granted"),
    }
    covers = scoping.COVERS.format(grant="granted", thing="thing")
    covering = {item: _COVERING.format(**granted, item=item, covers=covers) for item in ("{0}", "special.object_id")}
    in_scope = _IN_SCOPE.format(covering=covering["{0}"])
    known = _KNOWN_BY_GRANT.format(
        item="{0}",
        is_secret=KEPT_FROM_LINK if is_link else KEPT_FROM_HOUSE,
        covering_secret=covering["special.object_id"],
        in_scope=in_scope,
    )
    whole = unlimited(is_link=is_link, person="look.person_id", items="look.items", allowing=_DOWNLOADED)
    return Gate(
        readable=_SHARED_RECORDS.format(**granted, is_whole=scoping.IS_WHOLE.format(grant="granted")),
        is_known=known + (_NOT_FOR_LINKS if is_link else ""),
        is_in_scope=in_scope,
        is_hidden="false",
        looks=_LOOKS_BY_GRANT.format(is_recorded=_IS_RECORDED, unlimited=whole),
    )


_OF_HOLDER = Gate(
    health_card.HELD_RECORDS,
    _KNOWN_TO_HOLDER,
    "true",
    _HIDDEN,
    _LOOKS_OF_HOLDER.format(is_recorded=_IS_RECORDED),
)
_OF_HOUSE, _OF_LINK = _gate_by_grant(is_link=False), _gate_by_grant(is_link=True)


def gate_of(actor: Actor) -> Gate:
    """One of three that do not change: a statement composed of it may be kept."""
    if actor.kind is ActorKind.PATIENT:
        return _OF_HOLDER
    return _OF_LINK if actor.kind is ActorKind.LINK else _OF_HOUSE


def gate_values(actor: Actor) -> dict[str, Any]:
    """The values that the parts of ``gate_of`` ask for, and those of ``RESTRICTION``."""
    if actor.kind is ActorKind.PATIENT:
        return health_card.holder_values(actor)
    return scoping.recipient_values(actor)


def look_values(actor: Actor, action: str, *, fold_within: timedelta) -> dict[str, Any]:
    """The values that ``Gate.looks`` asks for, beside those of ``gate_values``.

    :param action: what the look is called in the log, and ``fold_within``: as of ``release``.
    """
    return audit.folding_values(actor, action, within=fold_within)
