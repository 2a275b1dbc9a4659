"""Messages in, acknowledgements out: the transactions around them. All of it needs an app context."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import db, observe
from core.actor import Actor
from core.errors import DatabaseUnavailable, InternalError, Refusal
from core.web import current_config
from records.hl7v2 import acknowledgement, batches, parsing, service
from records.hl7v2.parsing import Message
from records.hl7v2.refusals import MessageUnreadable

# Who sends, looked up in the transaction of each message; None when the port is no longer anybody's.
Sender = Callable[[Session], Actor | None]


class PortClosed(Exception):
    """Nobody speaks at this port any more."""


@dataclass(frozen=True)
class _Arrived:
    """A message before it is filed: read, or the reason why it cannot be."""

    body: bytes
    message: Message | None
    refusal: Refusal | None

    def answer(self, text: str) -> list[bytes]:
        charset = self.message.coding.charset if self.message else "utf-8"
        return [one.encode(charset, "replace") for one in acknowledgement.list_answers(self.message, text)]


def receive_frames(port: int, bodies: Sequence[bytes]) -> list[list[bytes] | None]:
    """Take in what arrived at a hospital's port, on one connection or on several. Never raises.

    :returns: the acknowledgements of each, written only after its commit; None when the port is no longer anybody's.
    """
    try:
        return list(receive(lambda session: accounts.identify_mllp_port(session, port), bodies))
    except PortClosed:
        return [None] * len(bodies)


def receive(sender: Sender, bodies: Sequence[bytes]) -> list[list[bytes]]:
    """Take in messages and batches of them; each stands or falls alone, and those of a batch are taken in its order.

    :returns: for each its acknowledgements; for a batch one batch of them.
    :raises PortClosed: the sender is nobody.
    """
    observe.begin_request()
    opened = [_open(body) for body in bodies]
    answers = iter(_file_all(sender, [one for _, arrived in opened for one in arrived]))
    found = [(batch, [next(answers) for _ in arrived]) for batch, arrived in opened]
    return [
        [batches.answer_batch(batch, [text for texts in each for text in texts])] if batch else each[0]
        for batch, each in found
    ]


def list_ports() -> dict[int, tuple[bytes, ...]]:
    """The ports to listen on now, each with the certificates that its hospital proves itself by; none: without TLS."""
    with db.snapshot() as session:
        return accounts.list_mllp_ports(session)


def _open(body: bytes) -> tuple[batches.Batch | None, list[_Arrived]]:
    if not batches.is_batch(body):
        return None, [_read(body)]
    try:
        batch = batches.read_batch(body)
    except MessageUnreadable as refusal:
        return None, [_Arrived(body, None, refusal)]
    return batch, [_read(message) for message in batch.messages]


def _read(body: bytes) -> _Arrived:
    try:
        return _Arrived(body, parsing.read_message(body), None)
    except Refusal as refusal:
        return _Arrived(body, None, refusal)
    except Exception as error:
        return _Arrived(body, None, _stumble(error))


def _file_all(sender: Sender, arrived: Sequence[_Arrived]) -> list[list[bytes]]:
    """In runs of results, which are filed together, and whatever else, which may change what a later one leads to."""
    answers: list[list[bytes]] = []
    run: list[_Arrived] = []
    for one in arrived:
        if one.message is not None and service.has_results(one.message):
            run.append(one)
            continue
        answers += _file_run(sender, run)
        answers.append(_file_one(sender, one))
        run = []
    return answers + _file_run(sender, run)


def _file_run(sender: Sender, run: Sequence[_Arrived]) -> list[list[bytes]]:
    """One transaction for all that are plain, and one each for the others: one bad message does not spoil the rest."""
    if not run:
        return []
    messages = [(one.message, one.body) for one in run if one.message is not None]
    try:
        with db.transaction() as session:
            together = service.file_together(session, _identify(sender, session), messages=messages)
    except SQLAlchemyError:
        together = {}
    except PortClosed:
        raise
    except Exception as error:
        _stumble(error)
        together = {}
    if together:
        observe.log.info("hl7v2.messages", outcome="AA", messages=len(together))
    return [
        one.answer(together[place]) if place in together else _file_one(sender, one) for place, one in enumerate(run)
    ]


def _file_one(sender: Sender, one: _Arrived) -> list[bytes]:
    refusal, days = one.refusal, current_config().visit_days
    try:
        if one.message is not None:
            with db.transaction() as session:
                actor = _identify(sender, session)
                text = service.file_message(session, actor, message=one.message, body=one.body, visit_days=days)
            observe.log.info("hl7v2.message", outcome="AA", code=None)
            return one.answer(text)
        with db.snapshot() as session:
            _identify(sender, session)
    except Refusal as refused:
        refusal = refused
    except SQLAlchemyError:
        refusal = DatabaseUnavailable()
    except PortClosed:
        raise
    except Exception as error:
        refusal = _stumble(error)
    assert refusal is not None
    return one.answer(_refuse(refusal, one))


def _identify(sender: Sender, session: Session) -> Actor:
    actor = sender(session)
    if actor is None:
        raise PortClosed
    return actor


def _refuse(refusal: Refusal, one: _Arrived) -> str:
    observe.REFUSALS.labels(refusal.code).inc()
    outcome = "AE" if refusal.keeps_changes else "AR"
    observe.log.info("hl7v2.message", outcome=outcome, code=refusal.code)
    control_id = one.message.control_id if one.message else parsing.find_control_id(one.body)
    return acknowledgement.refuse(refusal, control_id, one.message)


def _stumble(error: Exception) -> Refusal:
    """One message that we stumble over must not stop the next; its text may quote a person's data."""
    observe.log.error("mistake", error=type(error).__name__)
    return InternalError()
