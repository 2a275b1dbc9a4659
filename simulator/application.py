"""The simulator's web application: the outside interfaces, and the control door for tests and demos."""

import hmac

from flask import Blueprint, Flask, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException

from simulator import faults, messages, payments, realname, wechat, wechatpay
from simulator.notifications import Sender
from simulator.settings import Settings
from simulator.state import State, as_text

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


class ClockOrder(BaseModel):
    """How much older everything is to become; the clock never goes back."""

    model_config = ConfigDict(extra="forbid")

    advance_seconds: float = Field(gt=0, le=100 * 86_400)


def create_application(settings: Settings, state: State, sender: Sender) -> Flask:
    """Put the simulator together."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000
    faults.install(app, state)
    app.register_blueprint(wechat.outside_routes(settings, state))
    app.register_blueprint(messages.outside_routes(settings, state))
    app.register_blueprint(realname.outside_routes(settings, state))
    app.register_blueprint(wechatpay.outside_routes(settings, state))
    app.register_blueprint(wechat.control_routes(state))
    app.register_blueprint(messages.control_routes(state))
    app.register_blueprint(realname.control_routes(state))
    app.register_blueprint(payments.control_routes(settings, state, sender))
    app.register_blueprint(faults.control_routes(state))
    app.register_blueprint(_clock_routes(state, sender))
    _guard_control(app, settings)

    @app.get("/healthz")
    def check_health() -> ResponseReturnValue:
        return jsonify(status="ok")

    return app


def _clock_routes(state: State, sender: Sender) -> Blueprint:
    routes = Blueprint("clock", __name__, url_prefix="/simulator/clock")

    @routes.post("")
    def advance_clock() -> ResponseReturnValue:
        order = ClockOrder.model_validate(request.get_json())
        now = state.advance_clock(order.advance_seconds)
        sender.wake()
        return jsonify(now=as_text(now))

    return routes


def _guard_control(app: Flask, settings: Settings) -> None:
    expected = f"Bearer {settings.token}".encode()

    @app.before_request
    def check_token() -> ResponseReturnValue | None:
        if not request.path.startswith("/simulator/"):
            return None
        if request.remote_addr not in _LOOPBACK:
            return jsonify(error="loopback_only"), 403
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            return jsonify(error="unauthorized"), 401
        return None

    @app.errorhandler(ValidationError)
    def refuse_malformed(error: ValidationError) -> ResponseReturnValue:
        problems = [
            {"field": ".".join(map(str, each["loc"])), "issue": each["msg"]}
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        return jsonify(error="malformed", problems=problems), 400

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> ResponseReturnValue:
        return jsonify(error=error.name.lower().replace(" ", "_")), error.code or 500
