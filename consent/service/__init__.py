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
from consent.service.release import Release, find_access_until, readable_person_ids, release

__all__ = [
    "AccessRow",
    "GrantView",
    "NothingShared",
    "Release",
    "end_treatment_grant",
    "end_visit_grants",
    "find_access_until",
    "list_access",
    "list_grants",
    "open_treatment_grant",
    "readable_person_ids",
    "release",
    "revoke_grant",
]
