"""What other packages may ask of consent."""

from consent.models import Sensitivity
from consent.refusals import NothingShared
from consent.service.access_log import AccessRow, list_access
from consent.service.gate import RESTRICTION, Gate, gate_of, gate_values, look_values
from consent.service.grants import (
    OPEN_TREATMENT_GRANT,
    GrantView,
    end_treatment_grant,
    end_visit_grants,
    list_grants,
    list_received_grants,
    record_treatment_grant,
    revoke_grant,
    treatment_grant,
)
from consent.service.hiding import PART_OF, find_hidden, hide_item, show_item
from consent.service.release import (
    ACCESS_UNTIL,
    Release,
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

__all__ = [
    "ACCESS_UNTIL",
    "OPEN_TREATMENT_GRANT",
    "PART_OF",
    "RESTRICTION",
    "AccessRow",
    "Gate",
    "GrantView",
    "NothingShared",
    "Release",
    "Restriction",
    "Sensitivity",
    "disclose_item",
    "end_treatment_grant",
    "end_visit_grants",
    "find_access_until",
    "find_hidden",
    "gate_of",
    "gate_values",
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
    "readable_person_ids",
    "record_reading",
    "record_treatment_grant",
    "release",
    "release_held_item",
    "restrict_item",
    "revoke_grant",
    "show_item",
    "treatment_grant",
    "withhold_item",
]
