"""What other packages may ask of health_card."""

from health_card.service.cards import CardView, list_cards, revoke_codes
from health_card.service.codes import ShownCode, issue_code
from health_card.service.demographics import Demographics, get_demographics
from health_card.service.numbers import bind_patient_number, find_person, get_patient_number
from health_card.service.persons import Registration, held_person_ids, list_held_person_ids, register_person
from health_card.service.scans import Identified, counting_failures, redeem_code, redeem_payment_code

__all__ = [
    "CardView",
    "Demographics",
    "Identified",
    "Registration",
    "ShownCode",
    "bind_patient_number",
    "counting_failures",
    "find_person",
    "get_demographics",
    "get_patient_number",
    "held_person_ids",
    "issue_code",
    "list_cards",
    "list_held_person_ids",
    "redeem_code",
    "redeem_payment_code",
    "register_person",
    "revoke_codes",
]
