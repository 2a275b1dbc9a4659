"""When the term of a case comes: the hospital is reminded, or the patient told that it has let it pass."""

from typing import Any
from uuid import UUID

from consent.questions import service
from core import db
from core.dispatch import Handler


def note_term(payload: dict[str, Any]) -> None:
    """``question_id``: a case whose term has come, or is near."""
    with db.transaction() as session:
        service.note_term(session, question_id=UUID(payload["question_id"]))


HANDLERS: dict[str, Handler] = {service.TERM_TOPIC: note_term}
