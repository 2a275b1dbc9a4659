"""How the rules of release say no."""

from core.errors import NotFound


class ReleaseRuleNotFound(NotFound):
    code = "records.release_rule_not_found"
    title = "没有找到这条发布规则"
    detail = "No rule with this id is in force; it may have been ended or replaced. List the rules again."


class HeldItemNotFound(NotFound):
    code = "records.held_item_not_found"
    title = "没有找到这份待发布的报告或影像"
    detail = "No report or study of the signed-in account's hospital with this id waits, or has waited, for a release."
