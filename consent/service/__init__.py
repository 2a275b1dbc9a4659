"""What other packages may ask of consent."""

from consent.models import ItemKind, OpenedBy, Purpose, Sensitivity
from consent.refusals import NothingShared, ViewOnly
from consent.scope import KIND_WORDS, SENSITIVITY_WORDS, Recipient, Scope, recipient_of, scope_of
from consent.service.access_log import AccessRow, list_access
from consent.service.choosing import Need, Release
from consent.service.gate import RESTRICTION, Gate, gate_of, gate_values, look_values
from consent.service.giving import Narrowing, check_may_give, check_shareable, give_grant, narrow_grant
from consent.service.grants import (
    GrantFilter,
    GrantStatus,
    GrantView,
    Origin,
    end_visit_grants,
    list_grants,
    list_received_grants,
    open_grant,
    revoke_grant,
)
from consent.service.hiding import PART_OF, find_hidden, hide_item, show_item
from consent.service.release import (
    ACCESS_UNTIL,
    find_access_until,
    is_known_to,
    is_readable,
    readable_person_ids,
    record_reading,
    release,
)
from consent.service.restricting import (
    Restriction,
    disclose_item,
    is_released,
    list_held,
    list_restrictions,
    release_held_item,
    restrict_item,
    withhold_item,
)
from consent.service.treating import (
    OPEN_TREATMENT_GRANT,
    end_treatment_grant,
    record_treatment_grant,
    reopen_treatment_grant,
    treatment_grant,
)

__all__ = [
    "ACCESS_UNTIL",
    "KIND_WORDS",
    "OPEN_TREATMENT_GRANT",
    "PART_OF",
    "RESTRICTION",
    "SENSITIVITY_WORDS",
    "AccessRow",
    "Gate",
    "GrantFilter",
    "GrantStatus",
    "GrantView",
    "ItemKind",
    "Narrowing",
    "Need",
    "NothingShared",
    "OpenedBy",
    "Origin",
    "Purpose",
    "Recipient",
    "Release",
    "Restriction",
    "Scope",
    "Sensitivity",
    "ViewOnly",
    "check_may_give",
    "check_shareable",
    "disclose_item",
    "end_treatment_grant",
    "end_visit_grants",
    "find_access_until",
    "find_hidden",
    "gate_of",
    "gate_values",
    "give_grant",
    "hide_item",
    "is_known_to",
    "is_readable",
    "is_released",
    "list_access",
    "list_grants",
    "list_held",
    "list_received_grants",
    "list_restrictions",
    "look_values",
    "narrow_grant",
    "open_grant",
    "readable_person_ids",
    "recipient_of",
    "record_reading",
    "record_treatment_grant",
    "release",
    "release_held_item",
    "reopen_treatment_grant",
    "restrict_item",
    "revoke_grant",
    "scope_of",
    "show_item",
    "treatment_grant",
    "withhold_item",
]
