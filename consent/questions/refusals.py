"""How cases about looks say no."""

from core.errors import Conflict, Forbidden, Invalid, NotFound


class QuestionNotFound(NotFound):
    code = "consent.question_not_found"
    title = "没有找到这条调阅疑问"
    detail = "No such question that the signed-in account or client may read."


class AccessNotQuestionable(Invalid):
    code = "consent.access_not_questionable"
    title = "只能对医院的调阅提出疑问"
    detail = "Only what a hospital's staff or system did is answered by a hospital; this row is none of these."


class QuestionedAlready(Conflict):
    code = "consent.access_questioned_already"
    title = "已对这次调阅提出过疑问"
    detail = "This row was questioned before; read that question at /api/v1/access-questions."


class QuestionAboutOneself(Forbidden):
    code = "consent.question_about_oneself"
    title = "不能答复针对本人的疑问,请由他人答复"
    detail = "Whoever looked does not answer for it: a colleague with the permission has to."


class QuestionHasMoved(Conflict):
    code = "consent.question_has_moved"
    title = "该疑问的状态已改变,请刷新"
    detail = (
        "The case is not in the state that this needs: it was answered, accepted, escalated or concluded before, or "
        "its term is not over. Read it again."
    )
