"""The real-name source is asked, outside every transaction."""

from typing import Any
from uuid import UUID

from core import db
from core.circuit import Circuit
from core.dispatch import Handler, TryLater
from core.web import current_config
from health_card.realname import service
from health_card.realname.asking import DUE_TOPIC
from health_card.realname.service import Answered
from health_card.realname.source import RealNameSource, RealNameUnavailable

_RETRY_SECONDS = 300

# One message waits for the source's timeouts, not every message behind it.
circuit = Circuit(rest_seconds=30)


def check_real_name(payload: dict[str, Any]) -> None:
    """``person_id``, ``asking_id``: who registered, or was corrected."""
    ask_source(UUID(payload["person_id"]), UUID(payload["asking_id"]))


def ask_source(person_id: UUID, asking_id: UUID) -> None:
    """Ask the source about one person. Without a configured source nothing is asked, and the person stays unchecked.

    :param asking_id: what was answered once is not asked again.
    :raises TryLater: the source does not answer.
    """
    access = current_config().realname
    if access is None:
        return
    if circuit.is_open:
        raise TryLater(_RETRY_SECONDS)
    with db.snapshot() as session:
        identity = service.find_identity(session, person_id=person_id, asking_id=asking_id)
    if identity is None:
        return
    source = RealNameSource(access)
    try:
        answer = source.check(name=identity.name, certificate_type=identity.certificate_type, number=identity.number)
    except RealNameUnavailable:
        circuit.trip()
        raise TryLater(_RETRY_SECONDS) from None
    answered = Answered(answer.result, source.name, answer.reference)
    with db.transaction() as session:
        service.record_real_name(session, person_id=person_id, asking_id=asking_id, asked=identity, answered=answered)


HANDLERS: dict[str, Handler] = {DUE_TOPIC: check_real_name}
