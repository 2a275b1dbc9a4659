"""What other packages may ask of health_card."""

from health_card.notices.models import NoticeKind
from health_card.notices.service import tell as tell_person
from health_card.realname.asking import ask_real_name, find_real_name_state
from health_card.service.alarms import end_codes
from health_card.service.cards import CardView, issue_code, list_cards, revoke_codes
from health_card.service.demographics import (
    Demographics,
    PlainDemographics,
    fits_person,
    get_demographics,
    get_plain_demographics,
)
from health_card.service.identities import (
    Details,
    check_details,
    is_same_person,
    same_person_ids,
    same_persons,
)
from health_card.service.numbers import bind_patient_number, find_person, get_patient_number
from health_card.service.persons import Registration, find_own_person_id, held_person_ids, register_person
from health_card.service.scans import Identified, counting_failures, redeem_code

__all__ = [
    "CardView",
    "Demographics",
    "Details",
    "Identified",
    "NoticeKind",
    "PlainDemographics",
    "Registration",
    "ask_real_name",
    "bind_patient_number",
    "check_details",
    "counting_failures",
    "end_codes",
    "find_own_person_id",
    "find_person",
    "find_real_name_state",
    "fits_person",
    "get_demographics",
    "get_patient_number",
    "get_plain_demographics",
    "held_person_ids",
    "is_same_person",
    "issue_code",
    "list_cards",
    "redeem_code",
    "register_person",
    "revoke_codes",
    "same_person_ids",
    "same_persons",
    "tell_person",
]
