"""Those who run the platform, at the machine interface."""

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from accounts.models import Role
from core import db
from core.db import Base
from tests.support.city import City, Staff, bearer

ROOT = "/api/v1/operator"


class Desk:
    """Somebody who runs the platform, at the interface."""

    def __init__(self, city: City, role: Role) -> None:
        self.staff: Staff = city.staff(None, role)
        self.client: FlaskClient = city.client

    def ask(self, method: str, path: str, **body: Any) -> TestResponse:
        sent: dict[str, Any] = {"json": body} if method in {"POST", "PUT"} else {}
        return self.client.open(f"{ROOT}{path}", method=method, headers=bearer(self.staff.token), **sent)

    def make(self, path: str, **body: Any) -> Any:
        reply = self.ask("POST", path, **body)
        assert reply.status_code == 201, reply.text
        return reply.json


def code_of(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]


def count(entity: type[Base], **by: object) -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).select_from(entity).filter_by(**by)) or 0
