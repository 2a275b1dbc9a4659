"""Deletions in Chinese."""

from consent.rights.models import DeletionState, RefusedReason

STATES = {
    DeletionState.ASKED: ("待初核", "warn"),
    DeletionState.CHECKED: ("待复核", "warn"),
    DeletionState.DONE: ("已删除", ""),
    DeletionState.WITHDRAWN: ("已撤回", ""),
    DeletionState.REFUSED: ("未通过", "bad"),
}
REASONS = {
    RefusedReason.NOT_THE_PERSON: "经核实非本人意愿",
    RefusedReason.DISPUTE: "存在未决争议",
    RefusedReason.LEGAL_ORDER: "依法定要求保留",
}
