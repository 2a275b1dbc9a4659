"""The control door of the simulator from the other side: what a test or the demo asks of it, as plain functions."""

import time
from collections.abc import Mapping
from typing import Any

import requests

_TIMEOUT_SECONDS = 60


class ControlRefused(Exception):
    """The simulator said no; ``status`` and ``body`` are its answer."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Control:
    """One simulator, reached over HTTP with its token."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url
        self._headers = {"Authorization": f"Bearer {token}"}

    def mint_code(self, openid: str, unionid: str | None = None) -> str:
        """A login code as ``wx.login`` gives it: once, five minutes."""
        code: str = self._call("POST", "/codes", {"openid": openid, "unionid": unionid})["code"]
        return code

    def register_phone(self, wx_code: str, openid: str) -> None:
        """A demo phone whose ``wx_code`` logs the same openid in every time.

        :raises ControlRefused: 409, the code belongs to another openid.
        """
        self._call("POST", "/phones", {"wx_code": wx_code, "openid": openid})

    def accept_messages(self, openid: str, template_id: str, *, times: int = 1) -> None:
        """The user allows that many subscribe messages of this template."""
        self._call("POST", "/acceptances", {"openid": openid, "template_id": template_id, "times": times})

    def list_messages(self, openid: str) -> list[dict[str, Any]]:
        """The subscribe messages that reached this user's phone, each with template_id, data and sent_at."""
        messages: list[dict[str, Any]] = self._call("GET", f"/messages?openid={openid}")["messages"]
        return messages

    def end_access_tokens(self) -> None:
        """Every access token given out so far is worthless."""
        self._call("DELETE", "/access-tokens")

    def disagree(self, number: str) -> None:
        """The real-name source knows this certificate number under another name."""
        self._call("POST", "/realname/disagreements", {"number": number})

    def agree_again(self) -> None:
        """The real-name source agrees with every well-formed identity again."""
        self._call("DELETE", "/realname/disagreements")

    def prove(self, method: str, *, name: str, certificate_type: str, number: str) -> str:
        """Somebody passes a ``face`` or ``bank`` check of the source; the token that his phone gets, good once."""
        identity = {"name": name, "certificate_type": certificate_type, "number": number}
        token: str = self._call("POST", "/realname/proofs", {"method": method, **identity})["token"]
        return token

    def pay(self, arguments: Mapping[str, str], **options: object) -> dict[str, Any]:
        """The patient pays.

        :param arguments: prepay_id, paySign, timeStamp, nonceStr, appId, signType.
        :param options: notify, notify_after_seconds, genuine_follows.
        :raises ControlRefused: 400 or 409 with ``error`` saying why.
        """
        return self._call("POST", "/payments", {**arguments, **options})

    def show_payment(self, out_trade_no: str) -> dict[str, Any]:
        """Everything the simulator saw of this order.

        :raises ControlRefused: 404, nobody ever named it.
        """
        return self._call("GET", f"/payments/{out_trade_no}")

    def list_payments(self) -> list[dict[str, Any]]:
        """Every order, oldest first: for finding one intent that was ordered under two numbers."""
        payments: list[dict[str, Any]] = self._call("GET", "/payments")["payments"]
        return payments

    def order_fault(self, path: str, fault: str, *, times: int = 1, seconds: float | None = None) -> None:
        """Let the next ``times`` calls of ``path`` (a prefix when it ends in ``*``) go wrong."""
        self._call("POST", "/faults", {"path": path, "fault": fault, "times": times, "seconds": seconds})

    def clear_faults(self) -> None:
        """Forget every fault."""
        self._call("DELETE", "/faults")

    def advance_clock(self, seconds: float) -> None:
        """Let codes, orders and retries grow older."""
        self._call("POST", "/clock", {"advance_seconds": seconds})

    def wait_for_deliveries(self, out_trade_no: str, count: int, timeout_seconds: float = 60) -> list[dict[str, Any]]:
        """Wait until ``count`` notifications were sent and answered; each has kind, id, attempt, status, answer.

        :raises TimeoutError: fewer came.
        """
        gives_up_at = time.monotonic() + timeout_seconds
        while True:
            notifications = self.show_payment(out_trade_no)["notifications"]
            deliveries = [
                {**sent, "id": each["id"], "kind": each["kind"]}
                for each in notifications
                for sent in each["deliveries"]
            ]
            if len(deliveries) >= count:
                return sorted(deliveries, key=lambda sent: str(sent["at"]))
            if time.monotonic() > gives_up_at:
                raise TimeoutError(f"{len(deliveries)} of {count} deliveries for {out_trade_no}")
            time.sleep(0.02)

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        with requests.Session() as session:
            # No proxy from the environment: the simulator is on this machine.
            session.trust_env = False
            reply = session.request(
                method,
                f"{self.base_url}/simulator{path}",
                json=body,
                headers=self._headers,
                timeout=_TIMEOUT_SECONDS,
            )
        answer: dict[str, Any] = reply.json() if reply.content else {}
        if not reply.ok:
            raise ControlRefused(reply.status_code, answer)
        return answer
