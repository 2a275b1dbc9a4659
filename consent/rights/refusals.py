"""How the rights of persons over their records say no."""

from collections.abc import Sequence

from core.errors import Conflict, Forbidden, NotFound


class DeletionNotFound(NotFound):
    code = "consent.deletion_not_found"
    title = "没有找到这项删除申请"
    detail = "No such deletion request of a person for whom the one who asks decides."


class DeletionNotYours(Forbidden):
    code = "consent.deletion_not_yours"
    title = "只能由本人或其监护人申请删除"
    detail = "Only the person himself decides this, or the guardian of a child under 14 or of an adult ward."


class DeletionBlocked(Conflict):
    code = "consent.deletion_blocked"
    title = "暂不能删除,请先处理未了结事项"
    detail = "What is named in `reasons` has to be settled first; GET /api/v1/rights/deletion-plan explains each."

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(reasons=sorted(reasons))


class DeletionUnderWay(Conflict):
    code = "consent.deletion_under_way"
    title = "已有一项删除申请正在办理"
    detail = "The person has a deletion request that is not over; withdraw it or wait for it."


class DeletionOver(Conflict):
    code = "consent.deletion_over"
    title = "该删除申请的状态已变更"
    detail = "The request is not in the state that this step needs; load it again and look at its state."


class DeletionCooling(Conflict):
    code = "consent.deletion_cooling"
    title = "冷静期未满,尚不能办理"
    detail = "Until `cooling_until` the person can still change his mind, and nobody acts on the request."


class SecondPersonNeeded(Forbidden):
    code = "consent.second_person_needed"
    title = "须由另一人复核"
    detail = "Who checked a deletion cannot approve it too; somebody else has to."
