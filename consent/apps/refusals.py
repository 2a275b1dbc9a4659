"""How patients are told no when they let apps in."""

from core.errors import Forbidden, NotFound


class AppPersonNotAllowed(Forbidden):
    code = "consent.app_person_not_allowed"
    title = "只能为本人、未满十四周岁的子女或被监护人授权应用"
    detail = "This login may not let apps read this person's records; choose one of the request's `persons`."


class AppAccessNotFound(NotFound):
    code = "consent.app_access_not_found"
    title = "没有找到这项应用授权"
    detail = "No such authorization of a person for whom the signed-in login may let apps in."
