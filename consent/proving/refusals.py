"""How proving a grant says no."""

from core.errors import NotFound


class GrantVersionNotFound(NotFound):
    code = "consent.grant_version_not_found"
    title = "没有找到这项授权或这一版本"
    detail = "No such grant for who asks, or it never had this version; versions count from 1."
