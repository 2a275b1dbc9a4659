"""One frame in, one acknowledgement out: the transaction around a message."""

from sqlalchemy.exc import SQLAlchemyError

from accounts import service as accounts
from core import db, observe
from core.errors import DatabaseUnavailable, InternalError, Refusal
from records.hl7v2 import acknowledgement, parsing, service
from records.hl7v2.parsing import Message


def receive_frame(port: int, body: bytes) -> bytes | None:
    """Take in what arrived at a hospital's port. Needs an app context; never raises.

    :returns: the acknowledgement, written only after the commit; None when the port is no longer anybody's.
    """
    observe.begin_request()
    message: Message | None = None
    try:
        message = parsing.read_message(body)
        with db.transaction() as session:
            actor = accounts.identify_mllp_port(session, port)
            if actor is None:
                return None
            text = service.file_message(session, actor, message=message, body=body)
        _log("AA", None)
    except Refusal as refusal:
        text = _refuse(refusal, body, message)
    except SQLAlchemyError:
        text = _refuse(DatabaseUnavailable(), body, message)
    except Exception as error:
        # One message that we stumble over must not stop the next; its text may quote a person's data.
        observe.log.error("mistake", error=type(error).__name__)
        text = _refuse(InternalError(), body, message)
    return text.encode(message.coding.charset if message else "utf-8", "replace")


def list_ports() -> set[int]:
    """The ports to listen on now. Needs an app context."""
    with db.snapshot() as session:
        return set(accounts.list_mllp_ports(session))


def _refuse(refusal: Refusal, body: bytes, message: Message | None) -> str:
    observe.REFUSALS.labels(refusal.code).inc()
    _log("AE" if refusal.keeps_changes else "AR", refusal.code)
    control_id = message.control_id if message else parsing.find_control_id(body)
    return acknowledgement.refuse(refusal, control_id, message)


def _log(outcome: str, code: str | None) -> None:
    observe.log.info("hl7v2.message", outcome=outcome, code=code)
