"""To whom a grant gives, and what."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from consent.models import Grant, ItemKind, Scoped, Sensitivity

KIND_WORDS = {
    ItemKind.LABORATORY: "检验报告",
    ItemKind.IMAGING: "影像与影像报告",
    ItemKind.OTHER: "其他检查报告",
    ItemKind.ALLERGY: "过敏",
    ItemKind.CONDITION: "诊断",
    ItemKind.DOCUMENT: "文书",
    ItemKind.ENCOUNTER: "就诊",
    ItemKind.IMMUNIZATION: "接种",
    ItemKind.MEDICATION: "用药",
    ItemKind.ORDER: "申请",
    ItemKind.PROCEDURE: "手术",
    ItemKind.SPECIMEN: "标本",
}
SENSITIVITY_WORDS = {
    Sensitivity.HIV: "艾滋病相关",
    Sensitivity.PSYCHIATRIC: "精神心理",
    Sensitivity.REPRODUCTIVE: "生殖与性健康",
    Sensitivity.GENETIC: "遗传与基因",
}


@dataclass(frozen=True)
class Recipient:
    """A hospital, a department of it (standard 4-digit code) or one of its staff; or who holds a share link."""

    hospital_id: UUID | None = None
    department: str | None = None
    staff_id: UUID | None = None
    link_id: UUID | None = None

    def is_within(self, other: "Recipient") -> bool:
        """Whether everybody who is meant here is meant there too."""
        return (
            (self.hospital_id, self.link_id) == (other.hospital_id, other.link_id)
            and other.department in (None, self.department)
            and other.staff_id in (None, self.staff_id)
        )

    def columns(self) -> dict[str, Any]:
        """As a row of ``grants`` says it."""
        return {
            "hospital_id": self.hospital_id,
            "department": self.department,
            "staff_id": self.staff_id,
            "link_id": self.link_id,
        }


@dataclass(frozen=True)
class Scope:
    """What is shared: what every field allows. None allows everything; a new scope is the whole record, nothing
    sensitive, as often as is wished.

    :ivar sensitivities: the sensitive kinds that belong to it; an item of another one is shown to nobody by it.
    :ivar visit_ids: only what was filed for these visits, ``item_ids``: only these reports, studies and entries.
    :ivar since_on: and ``until_on``, both included: the item's day in Asia/Shanghai.
    :ivar uses: how many rows the access log may get under it.
    """

    kinds: frozenset[ItemKind] | None = None
    sensitivities: frozenset[Sensitivity] = frozenset()
    visit_ids: frozenset[UUID] | None = None
    item_ids: frozenset[UUID] | None = None
    since_on: date | None = None
    until_on: date | None = None
    may_download: bool = True
    uses: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it can show nothing at all."""
        nothing = any(chosen is not None and not chosen for chosen in (self.kinds, self.visit_ids, self.item_ids))
        return nothing or self.uses == 0 or bool(self.since_on and self.until_on and self.since_on > self.until_on)

    @property
    def is_whole(self) -> bool:
        """Whether nothing narrows which items are meant, but for the sensitive ones."""
        return all(limit is None for limit in (self.kinds, self.visit_ids, self.item_ids, self.since_on, self.until_on))

    def is_within(self, other: "Scope") -> bool:
        """Whether this one allows nothing that the other does not."""
        return (
            _is_subset(self.kinds, other.kinds)
            and self.sensitivities <= other.sensitivities
            and _is_subset(self.visit_ids, other.visit_ids)
            and _is_subset(self.item_ids, other.item_ids)
            and (other.since_on is None or (self.since_on is not None and self.since_on >= other.since_on))
            and (other.until_on is None or (self.until_on is not None and self.until_on <= other.until_on))
            and (other.may_download or not self.may_download)
            and (other.uses is None or (self.uses is not None and self.uses <= other.uses))
        )

    def columns(self) -> dict[str, Any]:
        """As a row of ``grants`` says it."""
        return {
            "kinds": _sorted(self.kinds),
            "sensitivities": _sorted(self.sensitivities),
            "visit_ids": _sorted(self.visit_ids),
            "item_ids": _sorted(self.item_ids),
            "since_on": self.since_on,
            "until_on": self.until_on,
            "may_download": self.may_download,
            "uses_left": self.uses,
        }

    def describe(self) -> str:
        """In Chinese, as the patient and the recipient read it."""
        kinds = "、".join(words for kind, words in KIND_WORDS.items() if kind in (self.kinds or ()))
        secrets = "、".join(words for kind, words in SENSITIVITY_WORDS.items() if kind in self.sensitivities)
        parts = [kinds or "全部记录", _describe_days(self.since_on, self.until_on)]
        parts.append(f"限指定的 {len(self.visit_ids)} 次就诊" if self.visit_ids is not None else "")
        parts.append(f"限指定的 {len(self.item_ids)} 项" if self.item_ids is not None else "")
        parts.append(f"含敏感内容({secrets})" if secrets else "不含敏感内容")
        parts.append("可下载" if self.may_download else "仅查看")
        parts.append(f"限 {self.uses} 次" if self.uses is not None else "")
        return ",".join(part for part in parts if part)


def recipient_of(grant: Grant) -> Recipient:
    return Recipient(grant.hospital_id, grant.department, grant.staff_id, grant.link_id)


def scope_of(grant: Grant) -> Scope:
    """What the grant allows from now on; ``uses``: those that are left."""
    return read_scope(grant, uses=grant.uses_left)


def read_scope(row: Scoped, *, uses: int | None) -> Scope:
    """As a row says it."""
    return Scope(
        kinds=None if row.kinds is None else frozenset(map(ItemKind, row.kinds)),
        sensitivities=frozenset(map(Sensitivity, row.sensitivities)),
        visit_ids=None if row.visit_ids is None else frozenset(row.visit_ids),
        item_ids=None if row.item_ids is None else frozenset(row.item_ids),
        since_on=row.since_on,
        until_on=row.until_on,
        may_download=row.may_download,
        uses=uses,
    )


def _is_subset(mine: frozenset[Any] | None, theirs: frozenset[Any] | None) -> bool:
    return theirs is None or (mine is not None and mine <= theirs)


def _sorted(chosen: Iterable[Any] | None) -> list[Any] | None:
    return None if chosen is None else sorted(chosen)


def _describe_days(since_on: date | None, until_on: date | None) -> str:
    if since_on and until_on:
        return f"{since_on} 至 {until_on}"
    if since_on:
        return f"{since_on} 以后"
    return f"{until_on} 以前" if until_on else ""
