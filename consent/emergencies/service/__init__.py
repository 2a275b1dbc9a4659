"""What other packages may ask about emergency accesses."""

from consent.emergencies.reasons import FINDINGS, GROUNDS, EmergencyReason, Ground, ReviewFinding
from consent.emergencies.rules import WORDS as RULE_WORDS
from consent.emergencies.service.counting import EmergencyCount, count_emergencies
from consent.emergencies.service.opening import (
    Cause,
    Place,
    Times,
    end_emergency,
    find_emergency,
    list_own,
    open_emergency,
)
from consent.emergencies.service.reviewing import (
    EmergencyCase,
    ReviewQueue,
    SeenThing,
    get_emergency,
    list_emergencies,
    review_emergency,
)
from consent.emergencies.service.telling import find_of_patient
from consent.emergencies.service.views import EmergencyView
from consent.emergencies.service.watching import AlarmView, list_alarms, note_overdue, see_alarm, watch_access

__all__ = [
    "FINDINGS",
    "GROUNDS",
    "RULE_WORDS",
    "AlarmView",
    "Cause",
    "EmergencyCase",
    "EmergencyCount",
    "EmergencyReason",
    "EmergencyView",
    "Ground",
    "Place",
    "ReviewFinding",
    "ReviewQueue",
    "SeenThing",
    "Times",
    "count_emergencies",
    "end_emergency",
    "find_emergency",
    "find_of_patient",
    "get_emergency",
    "list_alarms",
    "list_emergencies",
    "list_own",
    "note_overdue",
    "open_emergency",
    "review_emergency",
    "see_alarm",
    "watch_access",
]
