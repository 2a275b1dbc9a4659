"""Answers in the interface's form. Clients of the original look at resultCode and expect HTTP 200."""

from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from core import web
from core.errors import Refusal
from health_card.tencent.envelope import read_envelope
from health_card.tencent.result_codes import OTHER, RESULT_CODES, SUCCESS
from health_card.tencent.schemas import Answer, CommonOut, Nothing, Reply

LONGEST_REQUEST_ID = 64


def present(rsp: Reply) -> Response:
    """A success."""
    return _present(200, rsp, result_code=SUCCESS, err_msg="成功")


def present_problem(problem: dict[str, Any]) -> Response:
    """A refusal: HTTP 200, unless the platform itself is in trouble and the same may succeed later."""
    status = problem["status"] if problem["status"] >= 500 else 200
    return _present(status, Nothing(), **_tell(problem["code"], problem["title"], problem["detail"]))


def describe_refusal(refusal: Refusal) -> dict[str, Any]:
    """``result_code`` and ``err_msg`` of a refusal."""
    return _tell(refusal.code, refusal.title, refusal.text)


def _tell(code: str, title: str, detail: str) -> dict[str, Any]:
    return {"result_code": RESULT_CODES.get(code, OTHER), "err_msg": f"{title} · {detail} [{code}]"}


def _present(status: int, rsp: Reply, *, result_code: int, err_msg: str) -> Response:
    common_out = CommonOut(request_id=_read_request_id(), result_code=result_code, err_msg=err_msg)
    return web.present(Answer[Reply](common_out=common_out, rsp=rsp), status)


def _read_request_id() -> str:
    """The sender's own, so that it finds its request again; empty when even that cannot be read."""
    try:
        sent = read_envelope(request.get_data()).common.get("requestId")
    except (Refusal, HTTPException):
        return ""
    return sent[:LONGEST_REQUEST_ID] if isinstance(sent, str) else ""
