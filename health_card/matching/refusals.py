"""How the master index says no."""

from core.errors import Conflict, NotFound


class RecordNotFound(NotFound):
    code = "health_card.record_not_found"
    title = "没有找到这份主索引记录"
    detail = "No person record has this id. Take the ids from GET /api/v1/operator/matches/{match_id}."


class MatchNotFound(NotFound):
    code = "health_card.match_not_found"
    title = "没有找到这一对疑似重复记录"
    detail = "No pair of records has this id. GET /api/v1/operator/matches lists them."


class MatchDecided(Conflict):
    code = "health_card.match_decided"
    title = "这一对记录已经处理过,请刷新查看"
    detail = "The pair is not in the state that this decision needs; see its `state`. Reload it and decide again."


class LinkNotFound(NotFound):
    code = "health_card.link_not_found"
    title = "没有找到这次合并"
    detail = "No merge has this id. GET /api/v1/operator/merges lists them."


class LinkUndone(Conflict):
    code = "health_card.link_undone"
    title = "这次合并已经撤销"
    detail = "This merge was undone before. Nothing was changed."


class AlreadyOnePerson(Conflict):
    code = "health_card.already_one_person"
    title = "两份记录已经属于同一个人"
    detail = "Both records belong to one person already. Nothing was changed."


class PairRefused(Conflict):
    code = "health_card.pair_refused"
    title = "这两份记录已被认定为不同的人"
    detail = "The records are on the do-not-match list. Take the pair off it first, then merge."


class FactsContradict(Conflict):
    code = "health_card.facts_contradict"
    title = "两份记录的确定信息互相矛盾,请核实后再合并"
    detail = (
        "Facts that are certain contradict each other; see `contradictions`. Ask the hospitals or the persons. When "
        "both records are one person's all the same, send `override` true and say why in the reason."
    )
