"""A browser without scripts: keeps cookies, reads the forms it is shown."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.city import Staff


class Browser:
    """Signs in and sends forms as a person does, with the token that the page before carried."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.csrf_token = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        return self._seen(self.client.get(path, **options))

    def post(self, path: str, form: Mapping[str, Any], **options: Any) -> TestResponse:
        """Send a form; ``csrf_token`` is filled in unless given."""
        sent = {"csrf_token": self.csrf_token, **form}
        return self._seen(self.client.post(path, data=sent, **options))

    def sign_in(self, staff: Staff, path: str = "/staff/sign-in") -> TestResponse:
        """Sign in and look at the first page, which brings the token for forms."""
        reply = self.client.post(path, data={"username": staff.username, "password": staff.password})
        assert reply.status_code == 303, reply.text
        self.get(reply.location)
        return reply

    def _seen(self, reply: TestResponse) -> TestResponse:
        found = re.search(rb'name="csrf_token" value="([0-9a-f]{64})"', reply.get_data())
        if found:
            self.csrf_token = found.group(1).decode()
        return reply
