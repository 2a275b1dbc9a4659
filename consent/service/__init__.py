"""What other packages may ask of consent."""

from consent.refusals import NothingShared
from consent.service.access_log import AccessRow, list_access
from consent.service.grants import (
    OPEN_TREATMENT_GRANT,
    GrantView,
    end_treatment_grant,
    end_visit_grants,
    list_grants,
    record_treatment_grant,
    revoke_grant,
    treatment_grant,
)
from consent.service.hiding import PART_OF, hide_item, is_hidden, list_hidden, show_item
from consent.service.release import ACCESS_UNTIL, Release, find_access_until, is_readable, release

__all__ = [
    "ACCESS_UNTIL",
    "OPEN_TREATMENT_GRANT",
    "PART_OF",
    "AccessRow",
    "GrantView",
    "NothingShared",
    "Release",
    "end_treatment_grant",
    "end_visit_grants",
    "find_access_until",
    "hide_item",
    "is_hidden",
    "is_readable",
    "list_access",
    "list_grants",
    "list_hidden",
    "record_treatment_grant",
    "release",
    "revoke_grant",
    "show_item",
    "treatment_grant",
]
