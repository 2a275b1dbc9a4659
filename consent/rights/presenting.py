"""Plans and requests as the interface shows them."""

from consent.rights.retention import Hold
from consent.rights.schemas import DeletionPlanShown, DeletionShown, HoldShown, RightShown
from consent.rights.service import DeletionView, Plan

RIGHTS = [
    RightShown(right=right, address=address, law=law)
    for right, address, law in (
        ("export", "/api/v1/exports", "《个人信息保护法》第四十五条"),
        ("access_log", "/api/v1/access-log", "《个人信息保护法》第四十四条"),
        ("revoke", "/api/v1/grants", "《个人信息保护法》第十五条"),
        ("erasure_receipts", "/api/v1/erasures", "《个人信息保护法》第四十七条"),
        ("rectification", "/api/v1/rights/rectifications", "《个人信息保护法》第四十六条"),
        ("deletion", "/api/v1/rights/deletions", "《个人信息保护法》第四十七条"),
    )
]


def show_plan(plan: Plan) -> DeletionPlanShown:
    """What goes, what is kept, what has to be settled first."""
    return DeletionPlanShown(
        person_id=plan.person_id,
        goes=list(plan.goes),
        kept=[_show_hold(hold) for hold in plan.kept],
        blocked=[_show_hold(hold) for hold in plan.blocked],
    )


def show_deletion(view: DeletionView) -> DeletionShown:
    """A request, with its plan while it is open."""
    shown = {name: getattr(view, name) for name in DeletionShown.model_fields if name != "plan"}
    return DeletionShown(**shown, plan=show_plan(view.plan) if view.plan else None)


def _show_hold(hold: Hold) -> HoldShown:
    return HoldShown(code=hold.code.value, what=hold.rule.what, until=hold.until, source=hold.rule.source)
