"""The machine interface of quarantine: for a hospital's own systems, its staff, and the operator."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, current_config, present, requires
from records.quarantine import service
from records.quarantine.schemas import (
    AssignmentForm,
    BulkReplayForm,
    BulkReplayPath,
    BulkReplayShown,
    ContentQuery,
    ContentShown,
    DismissalForm,
    MessagePath,
    MessageShown,
    Quarantine,
    QuarantineQuery,
    ReasonCount,
    ReasonCounts,
    ResolvedShown,
)

api = Api("quarantine", tag="Hospital systems 系统接入", url_prefix="/api/v1/quarantine")


@api.get("", responses={200: Quarantine})
@requires("records:quarantine:read")
def list_quarantine(query: QuarantineQuery) -> Response:
    """Messages that could not be filed: a hospital's own, or every hospital's for the operator; newest first"""
    with db.transaction() as session:
        messages = service.list_quarantine(
            session, current_actor(), wanted=query.as_filter(), before=query.before, limit=query.limit
        )
    return present(Quarantine(messages=[MessageShown.model_validate(message) for message in messages]))


@api.get("/reasons", responses={200: ReasonCounts})
@requires("records:quarantine:read")
def count_reasons() -> Response:
    """How many messages wait for each reason, the most frequent first"""
    with db.snapshot() as session:
        counted = service.count_reasons(session, current_actor())
    return present(ReasonCounts(reasons=[ReasonCount(reason=code, messages=many) for code, many in counted.items()]))


@api.get("/<uuid:message_id>", responses={200: MessageShown})
@requires("records:quarantine:read")
def get_message(path: MessagePath) -> Response:
    """One message, without what it says"""
    with db.snapshot() as session:
        message = service.get_message(session, current_actor(), message_id=path.message_id)
    return present(MessageShown.model_validate(message))


@api.get("/<uuid:message_id>/content", responses={200: ContentShown})
@requires("records:quarantine:read")
def read_message(path: MessagePath, query: ContentQuery) -> Response:
    """What a message says, decoded for reading; recorded. The operator gives a purpose"""
    with db.transaction() as session:
        read = service.read_message(session, current_actor(), message_id=path.message_id, purpose=query.purpose)
    return present(ContentShown.model_validate(read))


@api.post("/<uuid:message_id>/replay", responses={200: ResolvedShown})
@requires("records:quarantine:replay")
def replay_message(path: MessagePath) -> Response:
    """Try a message again as it is, after what was missing had been put right"""
    with db.transaction() as session:
        resolved = service.replay_message(
            session,
            current_actor(),
            message_id=path.message_id,
            card_issuer=current_config().issuer_code,
            visit_days=current_config().visit_days,
        )
    return present(ResolvedShown.model_validate(resolved))


@api.post("/<uuid:message_id>/assign", responses={200: ResolvedShown})
@requires("records:quarantine:assign")
def assign_message(path: MessagePath, body: AssignmentForm) -> Response:
    """Staff of the hospital says whose it is; recorded with who and why"""
    with db.transaction() as session:
        resolved = service.assign_message(
            session,
            current_actor(),
            message_id=path.message_id,
            number=body.number,
            why=body.why,
            card_issuer=current_config().issuer_code,
            visit_days=current_config().visit_days,
            is_confirmed=body.is_confirmed,
        )
    return present(ResolvedShown.model_validate(resolved))


@api.post("/<uuid:message_id>/dismiss", responses={200: ResolvedShown})
@requires("records:quarantine:dismiss")
def dismiss_message(path: MessagePath, body: DismissalForm) -> Response:
    """It is not to be filed: kept, and the same message is not taken in again"""
    with db.transaction() as session:
        resolved = service.dismiss_message(session, current_actor(), message_id=path.message_id, why=body.why)
    return present(ResolvedShown.model_validate(resolved))


@api.post("/<uuid:message_id>/reopen", responses={200: ResolvedShown})
@requires("records:quarantine:dismiss")
def reopen_message(path: MessagePath) -> Response:
    """Take a dismissal back"""
    with db.transaction() as session:
        resolved = service.reopen_message(session, current_actor(), message_id=path.message_id)
    return present(ResolvedShown.model_validate(resolved))


@api.post("/replays", responses={202: BulkReplayShown})
@requires("records:quarantine:replay")
def open_replay(body: BulkReplayForm) -> Response:
    """Try everything again that waits for one reason now, in the background"""
    with db.transaction() as session:
        replay = service.open_replay(session, current_actor(), reason=body.reason)
    return present(BulkReplayShown.model_validate(replay), 202)


@api.get("/replays/<uuid:replay_id>", responses={200: BulkReplayShown})
@requires("records:quarantine:replay")
def get_replay(path: BulkReplayPath) -> Response:
    """How far a bulk replay has come"""
    with db.snapshot() as session:
        replay = service.get_replay(session, current_actor(), replay_id=path.replay_id)
    return present(BulkReplayShown.model_validate(replay))
