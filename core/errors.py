"""Refusals: every way in which the platform says no, each a class with a stable code (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class Refusal(Exception):
    """A request is refused; nothing was changed.

    :cvar code: stable, ``package.reason``; what a program looks at. Documented in docs/errors.md.
    :cvar title: one Chinese sentence for the person in front of the screen.
    :cvar detail: one English sentence for whoever connects a system: what is wrong and what to do.
    :ivar keeps_changes: what the transaction wrote stays although the request is refused (an attack that ends
        a session, a message kept in quarantine). Otherwise a refusal undoes everything.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    detail: ClassVar[str]
    headers: Mapping[str, str] = {}
    keeps_changes: bool = False

    def __init__(self, detail: str | None = None, **members: Any) -> None:
        """:param members: extra problem members, never personal data."""
        self.text = detail or self.detail
        self.members = members
        super().__init__(f"{self.code}: {self.text}")

    def problem(self, *, base_url: str, request_id: str) -> dict[str, Any]:
        """The problem details object of RFC 9457, section 3."""
        return {
            "type": f"{base_url}/docs/errors#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.text,
            "code": self.code,
            "request_id": request_id,
            **self.members,
        }


class Invalid(Refusal):
    """What was sent cannot be right, whoever sends it."""

    status = 422


class Unauthenticated(Refusal):
    """Nobody is signed in, or the proof of who it is does not hold."""

    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class Forbidden(Refusal):
    """It is known who asks, and he may never do this."""

    status = 403


class NotFound(Refusal):
    """No such thing for the one who asks, whether or not it exists for others."""

    status = 404


class Conflict(Refusal):
    """The state of the world does not allow it."""

    status = 409


class TooMany(Refusal):
    """Too often; try again later."""

    status = 429


class Unavailable(Refusal):
    """Something that the platform depends on does not answer; the same request may succeed later."""

    status = 503


class MalformedRequest(Invalid):
    code = "core.malformed_request"
    title = "提交的内容不符合要求"
    detail = "The request does not match the schema; see `errors` for each field."

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(errors=list(errors))


class NotSignedIn(Unauthenticated):
    code = "core.not_signed_in"
    title = "请先登录"
    detail = "This needs a valid access token or a signed-in page session."


class PermissionMissing(Forbidden):
    code = "core.permission_missing"
    title = "您没有此项权限"
    detail = "The signed-in account or client does not hold the permission that this operation needs."


class CrossSiteRequest(Forbidden):
    code = "core.cross_site_request"
    title = "页面已过期,请刷新后重试"
    detail = "A page form was sent without its CSRF token or from another site; reload the page and send it again."


class RateExceeded(TooMany):
    code = "core.rate_exceeded"
    title = "操作过于频繁,请稍后再试"
    detail = "Too many requests; wait for the seconds in Retry-After."

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds
        self.headers = {"Retry-After": str(retry_after_seconds)}


class DatabaseUnavailable(Unavailable):
    code = "core.database_unavailable"
    title = "系统繁忙,请稍后再试"
    detail = "The database does not answer. Nothing was changed; send the same request again."
    headers: Mapping[str, str] = {"Retry-After": "2"}


class IdempotencyKeyMissing(Invalid):
    code = "core.idempotency_key_missing"
    title = "缺少幂等键"
    detail = "Send an Idempotency-Key header of 8 to 128 printable characters, a new one for each new intent."


class IdempotencyKeyReused(Conflict):
    code = "core.idempotency_key_reused"
    title = "幂等键已用于另一笔请求"
    detail = "This Idempotency-Key was used for a request with other content. Use a new key for a new intent."


class HttpProblem(Refusal):
    """What Flask itself refuses: unknown address, wrong method, body too large and the like."""

    code = "core.http_error"
    title = "请求无法处理"
    detail = "The HTTP request could not be served; see `status`."

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status  # type: ignore[misc]  # the one refusal whose status comes from Werkzeug


class InternalError(Refusal):
    status = 500
    code = "core.internal_error"
    title = "系统内部错误"
    detail = "An error of ours; it was logged under request_id. Nothing was changed."


def list_refusals(root: type[Refusal] = Refusal) -> list[type[Refusal]]:
    """Every refusal class that carries a code, by code."""
    found = {kind.code: kind for kind in _descendants(root) if hasattr(kind, "code")}
    return [found[code] for code in sorted(found)]


def _descendants(root: type[Refusal]) -> list[type[Refusal]]:
    return [kind for child in root.__subclasses__() for kind in (child, *_descendants(child))]
