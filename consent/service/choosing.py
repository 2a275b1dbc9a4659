"""By which grants something is shown: chosen and locked in the transaction that reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from consent.refusals import NothingShared, ViewOnly
from consent.service import scoping
from consent.service.restricting import KEPT_FROM_HOUSE, KEPT_FROM_LINK
from core import statements
from core.actor import Actor, ActorKind
from health_card import service as health_card

# The one grant by which nearly everything is read: of the whole record, without a count of uses. With ``{person}`` and
# ``{items}``, an array of what is shown, to be filled in.
_UNLIMITED = """
SELECT granted.id, granted.version, granted.purpose FROM grants granted
WHERE granted.person_id IN ({same_person_ids}) AND {to_actor} AND {in_force}
    AND granted.uses_left IS NULL AND {is_whole}{allowing} AND NOT EXISTS (
        SELECT FROM restricted_items special
        WHERE special.object_id = ANY({items}) AND {is_secret}
            AND NOT special.sensitivity = ANY(granted.sensitivities)
    )
ORDER BY granted.expires_at DESC LIMIT 1
FOR SHARE OF granted
"""
# Every grant of the actor's, the one to be relied on first at the head, and what it shows of the items.
_CANDIDATES = """
WITH wanted AS MATERIALIZED (
    SELECT asked.id, thing.object_id, thing.kind, thing.visit_id, thing.occurred_on, special.sensitivity
    FROM unnest(%(items)s::uuid[]) AS asked (id) LEFT JOIN shareable_items thing ON thing.object_id = asked.id
        LEFT JOIN restricted_items special ON special.object_id = asked.id AND {is_secret}
)
SELECT granted.id, granted.version, granted.purpose, granted.uses_left IS NOT NULL, {is_whole}, granted.may_download,
    ARRAY(
        SELECT thing.id FROM wanted thing
        WHERE ({is_whole} OR ({covers})) AND (
            thing.sensitivity IS NULL OR thing.sensitivity = ANY(granted.sensitivities)
        )
    )
FROM grants granted
WHERE granted.person_id IN ({same_person_ids}) AND {to_actor} AND {in_force}
ORDER BY granted.uses_left IS NOT NULL, NOT {is_whole}, granted.expires_at DESC, granted.id
"""
_LOCK = """
SELECT granted.id, granted.version FROM grants granted
WHERE granted.id = ANY(%(ids)s::uuid[]) AND {in_force} ORDER BY granted.id FOR {strength} OF granted
"""
_DOWNLOADS = " AND (granted.may_download OR NOT %(is_download)s)"
_USE = "UPDATE grants SET uses_left = uses_left - 1 WHERE id = ANY(%(ids)s::uuid[])"


class Need(StrEnum):
    """What not every grant allows: to take files away (originals of images, a report as PDF), or to see what says
    something of the whole record.
    """

    DOWNLOAD = "download"
    WHOLE = "whole"


@dataclass(frozen=True)
class Release:
    """By which right the actor sees the person's records now.

    :ivar basis: grant id and version, or an app's authorization, which has one; None for one's own records and those
        of whom one acts for. The first one, where several together show what is read.
    :ivar is_whole: nothing narrows which items are seen, but for the sensitive ones.
    """

    person_id: UUID
    purpose: str
    basis: tuple[UUID, int] | None
    is_whole: bool = True


@dataclass(frozen=True)
class Granted:
    """A grant that is relied on, or what stands in its place. ``is_limited``: its uses are counted."""

    release: Release
    is_limited: bool = False


@dataclass(frozen=True)
class _Candidate:
    id: UUID
    version: int
    purpose: str
    is_limited: bool
    is_whole: bool
    may_download: bool
    covered: list[UUID]


def _compose(statement: str, *, is_link: bool, **parts: str) -> str:
    return statement.format(
        to_actor=(scoping.TO_LINK if is_link else scoping.TO_HOUSE).format(grant="granted"),
        in_force=scoping.IN_FORCE.format(grant="granted"),
        is_whole=scoping.IS_WHOLE.format(grant="granted"),
        covers=scoping.COVERS.format(grant="granted", thing="thing"),
        is_secret=KEPT_FROM_LINK if is_link else KEPT_FROM_HOUSE,
        **parts,
    )


def unlimited(*, is_link: bool, person: str, items: str, allowing: str = "") -> str:
    """``_UNLIMITED`` of a house or a link.

    :param person: an expression of whose records; ``items``: one of an array of what is shown of them.
    """
    same = health_card.SAME_PERSON_IDS.format(person)
    return _compose(_UNLIMITED, is_link=is_link, same_person_ids=same, items=items, allowing=allowing)


_ASKED = "%(person_id)s"
_FIRST = {
    is_link: unlimited(is_link=is_link, person=_ASKED, items="%(items)s::uuid[]", allowing=_DOWNLOADS)
    for is_link in (False, True)
}
_ALL = {
    is_link: _compose(_CANDIDATES, is_link=is_link, same_person_ids=health_card.SAME_PERSON_IDS.format(_ASKED))
    for is_link in (False, True)
}


def choose_grants(
    session: Session, actor: Actor, *, person_id: UUID, items: Sequence[UUID], need: Need | None
) -> list[Granted]:
    """The grants that together show all of these items, locked: one that counts no uses before one that does, a whole
    one before a narrow one, the longest first.

    :param items: none: any grant of the actor's does.
    :raises NothingShared: there are none.
    :raises ViewOnly: what shows it does not let the actor take it away.
    """
    is_link = actor.kind is ActorKind.LINK
    asked = scoping.recipient_values(actor) | {
        "person_id": person_id,
        "items": list(items),
        "is_download": need is Need.DOWNLOAD,
    }
    found = statements.run(session, _FIRST[is_link], asked)
    if found:
        return [Granted(Release(person_id, found[2], (found[0], found[1])))]
    while True:
        candidates = [_Candidate(*row) for row in statements.list_rows(session, _ALL[is_link], asked)]
        chosen = _choose(candidates, items, need)
        if _lock(session, chosen, asked):
            return [
                Granted(Release(person_id, one.purpose, (one.id, one.version), one.is_whole), one.is_limited)
                for one in chosen
            ]


def use_up(session: Session, ids: Sequence[UUID]) -> None:
    """One use each of grants that ``choose_grants`` has locked."""
    statements.run(session, _USE, {"ids": list(ids)})


def _choose(candidates: list[_Candidate], items: Sequence[UUID], need: Need | None) -> list[_Candidate]:
    fit = [
        one
        for one in candidates
        if (one.may_download or need is not Need.DOWNLOAD) and (one.is_whole or need is not Need.WHOLE)
    ]
    chosen = _cover(fit, items)
    if chosen:
        return chosen
    if need is Need.DOWNLOAD and _cover(candidates, items):
        raise ViewOnly
    raise NothingShared


def _cover(candidates: list[_Candidate], items: Sequence[UUID]) -> list[_Candidate]:
    """As few as there need be, those that show most first; none when an item is shown by none of them."""
    if not items:
        return candidates[:1]
    missing, chosen = set(items), []
    for one in sorted(candidates, key=lambda each: (each.is_limited, not each.is_whole, -len(each.covered))):
        if missing & set(one.covered):
            missing -= set(one.covered)
            chosen.append(one)
    return [] if missing else chosen


def _lock(session: Session, chosen: list[_Candidate], asked: dict[str, Any]) -> bool:
    """Whether the grants stand as they were read. One whose uses are counted is locked for the count at once: of two
    readers who shared it, each would wait for the other.
    """
    strength = "NO KEY UPDATE" if any(one.is_limited for one in chosen) else "SHARE"
    lock = _LOCK.format(in_force=scoping.IN_FORCE.format(grant="granted"), strength=strength)
    rows = statements.list_rows(session, lock, asked | {"ids": [one.id for one in chosen]})
    return {(id_, version) for id_, version in rows} == {(one.id, one.version) for one in chosen}
