"""What other packages may ask of health_card."""

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
    "PlainDemographics",
    "Registration",
    "bind_patient_number",
    "check_details",
    "counting_failures",
    "find_own_person_id",
    "find_person",
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
]
