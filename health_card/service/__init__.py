"""What other packages may ask of health_card."""

from health_card.carriers.models import Kind as CarrierKind
from health_card.carriers.service.identification import identify_carrier
from health_card.confirmation.service import check_pin, consume_confirmation
from health_card.desk.models import Way
from health_card.desk.refusals import PersonNotFound
from health_card.desk.service.look_ups import identify_by_certificate, open_look_up
from health_card.erasure.service import erase_person, has_dependents, has_open_match, lock_root_id
from health_card.family.service.visitors import open_confirmed_look_up
from health_card.matching.likeness import Comparison, compare_with_person, find_agreeing
from health_card.models import Relation
from health_card.notices.models import NoticeKind
from health_card.notices.service import News, keep_notices_own, tell_of_many
from health_card.notices.service import tell as tell_person
from health_card.pictures import draw_png
from health_card.realname.asking import ask_real_name, find_real_name_state
from health_card.refusals import PersonDetailsDiffer
from health_card.service.ages import LifeStage
from health_card.service.alarms import end_codes
from health_card.service.cards import IS_CARD_LOST, CardView, list_card_numbers, list_cards, revoke_codes
from health_card.service.codes import ShownCode, issue_code
from health_card.service.demographics import (
    VISITOR,
    Demographics,
    PlainDemographics,
    get_demographics,
    get_plain_demographics,
    get_visitor,
    show_visitor,
)
from health_card.service.holders import (
    GUARDIAN_RELATIONS,
    Holding,
    find_decision_end,
    find_holding,
    get_life_stage,
    list_relations,
)
from health_card.service.identities import (
    PHONE_SHAPE,
    PLAIN_TEXT,
    SAME_PERSON_IDS,
    Details,
    check_details,
    is_same_person,
    list_roots,
    same_person_ids,
    same_persons,
)
from health_card.service.numbers import (
    OWNERS,
    ask_owners,
    bind_patient_number,
    choose_owners,
    find_person,
    get_patient_number,
)
from health_card.service.persons import (
    HELD_RECORDS,
    Registration,
    confided_person_ids,
    entrusted_person_ids,
    find_own_person_id,
    held_person_ids,
    holder_values,
    own_person_ids,
    register_person,
)
from health_card.service.scans import Identified, counting_failures, redeem_code, redeem_payment_code, take_turn
from health_card.service.sealed_texts import seal_text, unseal_text
from health_card.service.windows import Registrant, register_patient

__all__ = [
    "GUARDIAN_RELATIONS",
    "HELD_RECORDS",
    "IS_CARD_LOST",
    "OWNERS",
    "PHONE_SHAPE",
    "PLAIN_TEXT",
    "SAME_PERSON_IDS",
    "VISITOR",
    "CardView",
    "CarrierKind",
    "Comparison",
    "Demographics",
    "Details",
    "Holding",
    "Identified",
    "LifeStage",
    "News",
    "NoticeKind",
    "PersonDetailsDiffer",
    "PersonNotFound",
    "PlainDemographics",
    "Registrant",
    "Registration",
    "Relation",
    "ShownCode",
    "Way",
    "ask_owners",
    "ask_real_name",
    "bind_patient_number",
    "check_details",
    "check_pin",
    "choose_owners",
    "compare_with_person",
    "confided_person_ids",
    "consume_confirmation",
    "counting_failures",
    "draw_png",
    "end_codes",
    "entrusted_person_ids",
    "erase_person",
    "find_agreeing",
    "find_decision_end",
    "find_holding",
    "find_own_person_id",
    "find_person",
    "find_real_name_state",
    "get_demographics",
    "get_life_stage",
    "get_patient_number",
    "get_plain_demographics",
    "get_visitor",
    "has_dependents",
    "has_open_match",
    "held_person_ids",
    "holder_values",
    "identify_by_certificate",
    "identify_carrier",
    "is_same_person",
    "issue_code",
    "keep_notices_own",
    "list_card_numbers",
    "list_cards",
    "list_relations",
    "list_roots",
    "lock_root_id",
    "open_confirmed_look_up",
    "open_look_up",
    "own_person_ids",
    "redeem_code",
    "redeem_payment_code",
    "register_patient",
    "register_person",
    "revoke_codes",
    "same_person_ids",
    "same_persons",
    "seal_text",
    "show_visitor",
    "take_turn",
    "tell_of_many",
    "tell_person",
    "unseal_text",
]
