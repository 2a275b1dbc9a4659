"""What other packages may ask of consent."""

from consent.refusals import NothingShared
from consent.service.access_log import AccessRow, list_access
from consent.service.grants import (
    GrantView,
    end_treatment_grant,
    end_visit_grants,
    list_grants,
    open_treatment_grant,
    revoke_grant,
)
from consent.service.hiding import PART_OF, hide_item, list_hidden, show_item
from consent.service.release import Release, find_access_until, is_readable, release

__all__ = [
    "PART_OF",
    "AccessRow",
    "GrantView",
    "NothingShared",
    "Release",
    "end_treatment_grant",
    "end_visit_grants",
    "find_access_until",
    "hide_item",
    "is_readable",
    "list_access",
    "list_grants",
    "list_hidden",
    "open_treatment_grant",
    "release",
    "revoke_grant",
    "show_item",
]
