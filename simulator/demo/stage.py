"""The stage: says each step in one line, speaks HTTP, and stops the play when an answer is not as it must be."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests

Answer = TypeVar("Answer")

_TIMEOUT_SECONDS = 15
# A server that is being restarted is not an answer: every step here may be sent again.
PATIENCE_SECONDS = 90


class NotAsExpected(Exception):
    """A step did not go as the story says."""


class Stage:
    """Where the story is played."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._http = requests.Session()
        # No proxy from the environment: the platform of the demo is on this machine.
        self._http.trust_env = False
        self._steps = 0

    def say(self, chinese: str, english: str) -> None:
        """One line a step."""
        self._steps += 1
        print(f"{self._steps:2d}. {chinese} · {english}", flush=True)

    def title(self, text: str) -> None:
        """A heading over some steps."""
        print(f"\n{text}", flush=True)

    def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        expect: int | tuple[int, ...],
        **content: Any,
    ) -> requests.Response:
        """Send one request and check the status of the answer (one, or any of several).

        :param content: json, data or params, as ``requests`` takes them; a function makes them anew for each try.
        :raises NotAsExpected: another status, or no answer.
        """
        all_headers = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        reply = self._send_patiently(method, path, headers=all_headers, **content)
        if reply.status_code not in (expect if isinstance(expect, tuple) else (expect,)):
            raise NotAsExpected(f"{method} {path}: {reply.status_code} instead of {expect}: {reply.text[:500]}")
        return reply

    def refused(self, method: str, path: str, *, code: str, expect: int, **request: Any) -> None:
        """Send a request that must be refused with this code."""
        found = self.send(method, path, expect=expect, **request).json().get("code")
        if found != code:
            raise NotAsExpected(f"{method} {path}: refused with {found} instead of {code}")

    def check(self, holds: bool, what: str) -> None:
        """:raises NotAsExpected: ``what`` does not hold."""
        if not holds:
            raise NotAsExpected(what)

    def wait_for(self, look: Callable[[], Answer | None], what: str, *, seconds: float = 20) -> Answer:
        """Look again until there is something.

        :raises NotAsExpected: nothing came in time.
        """
        gives_up_at = time.monotonic() + seconds
        while True:
            found = look()
            if found is not None:
                return found
            if time.monotonic() > gives_up_at:
                raise NotAsExpected(f"{what}: not within {seconds:.0f} s")
            time.sleep(0.1)

    def _send_patiently(self, method: str, path: str, **content: Any) -> requests.Response:
        gives_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            fresh = {name: value() if callable(value) else value for name, value in content.items()}
            try:
                reply = self._http.request(
                    method, self.base_url + path, timeout=_TIMEOUT_SECONDS, allow_redirects=False, **fresh
                )
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
                # Refused, reset, or cut off in the middle of the answer: whether it took effect is not known.
                if time.monotonic() > gives_up_at:
                    raise NotAsExpected(f"{method} {path}: {self.base_url} does not answer") from error
            else:
                if not _is_restarting(reply) or time.monotonic() > gives_up_at:
                    return reply
            time.sleep(0.3)


def _is_restarting(reply: requests.Response) -> bool:
    """Whether the platform itself says that it is not all there yet; what WeChat refuses is an answer."""
    return reply.status_code == 503 and '"code": "core.' in reply.text
