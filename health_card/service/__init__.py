"""What other packages may ask of health_card."""

from health_card.notices.models import NoticeKind
from health_card.notices.telling import tell_person
from health_card.realname.asking import ask_real_name, find_real_name_state
from health_card.service.alarms import end_codes
from health_card.service.cards import CardView, issue_code, list_cards, revoke_codes
from health_card.service.demographics import Demographics, get_demographics
from health_card.service.numbers import bind_patient_number, find_person, get_patient_number
from health_card.service.persons import Registration, held_person_ids, list_held_person_ids, register_person
from health_card.service.scans import Identified, counting_failures, redeem_code

__all__ = [
    "CardView",
    "Demographics",
    "Identified",
    "NoticeKind",
    "Registration",
    "ask_real_name",
    "bind_patient_number",
    "counting_failures",
    "end_codes",
    "find_person",
    "find_real_name_state",
    "get_demographics",
    "get_patient_number",
    "held_person_ids",
    "issue_code",
    "list_cards",
    "list_held_person_ids",
    "redeem_code",
    "register_person",
    "revoke_codes",
    "tell_person",
]
