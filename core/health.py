"""Is it up, is it ready, how is it doing: for load balancers and the operator."""

import hmac

from flask import Response, request
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core import db, observe
from core.api import Api
from core.errors import NotFound, Unavailable
from core.web import current_config, public

api = Api("health", tag="Operation 运行")


class NotReady(Unavailable):
    code = "core.not_ready"
    title = "系统正在启动或维护"
    detail = "A server that the platform needs does not answer; see `waiting_for`."


class MetricsHidden(NotFound):
    code = "core.metrics_hidden"
    title = "没有这个页面"
    detail = "Nothing here without the operator's metrics token."


@api.get("/healthz", openapi_extensions={"x-also-produces": ["text/plain"]})
@public("a load balancer asks whether the process lives; says nothing else")
def healthz() -> Response:
    """Is the process alive"""
    return Response("ok\n", mimetype="text/plain")


@api.get("/readyz", openapi_extensions={"x-also-produces": ["text/plain"]})
@public("a load balancer asks whether requests can be served; says nothing else")
def readyz() -> Response:
    """Can requests be served: database and Redis answer"""
    waiting = [name for name, answers in (("database", _database()), ("redis", _redis())) if not answers]
    if waiting:
        raise NotReady(waiting_for=waiting)
    return Response("ready\n", mimetype="text/plain")


@api.get("/metrics", openapi_extensions={"x-also-produces": ["text/plain"]})
@public("guarded by the operator's metrics token in the Authorization header")
def metrics() -> Response:
    """Prometheus metrics, for the operator only (bearer token METRICS_TOKEN)"""
    offered = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(offered.encode(), current_config().metrics_token.encode()):
        raise MetricsHidden
    return Response(observe.metrics_text(current_config()), mimetype="text/plain; version=0.0.4")


def _database() -> bool:
    try:
        with db.snapshot() as session:
            session.execute(text("SELECT 1 FROM alembic_version"))
    except SQLAlchemyError:
        return False
    return True


def _redis() -> bool:
    try:
        with Redis.from_url(current_config().redis_url, socket_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False
