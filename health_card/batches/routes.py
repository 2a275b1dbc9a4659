"""The machine interface of batches, for operators."""

from collections.abc import Iterator
from typing import IO

from flask import Response

from core import db, idempotency, storage
from core.api import Api
from core.web import current_actor, present, requires
from health_card.batches import service
from health_card.batches.reading import LARGEST_BYTES, examine_list
from health_card.batches.schemas import (
    BatchHeader,
    BatchList,
    BatchName,
    BatchOpened,
    BatchPath,
    BatchQuery,
    BatchShown,
    ListBody,
    RefusedRow,
    RefusedRowList,
    RefusedRowQuery,
)

api = Api("batches", tag="Batch issue 批量发卡", url_prefix="/api/v1/operator")

_CSV = "text/csv"
_READ_BYTES = 256 * 1024


def take_list(stream: IO[bytes], *, key: str, name: str) -> tuple[BatchOpened, bool]:
    """Seal a list as it comes, see that it can be read, and open its batch; tells whether it is a replay."""
    with storage.Staging() as staging:
        listed = staging.new_file()
        for part in _parts(stream):
            listed.write(part)
        listed.finish()
        with listed.open() as again:
            layout = examine_list(again)
        with db.transaction() as session:
            reply, is_replay = service.open_batch(
                session, current_actor(), key=key, name=name, listed=listed, layout=layout
            )
    return BatchOpened.model_validate(reply), is_replay


@api.post("/batches", responses={202: BatchOpened})
@requires("health_card:batch:manage", largest_bytes=LARGEST_BYTES)
def open_batch(header: BatchHeader, query: BatchName, raw: ListBody) -> Response:
    """Send a list of people; their cards are issued in the background (at most 100,000 lines and 30 MB)

    Columns: certificate_type, certificate_number, name, phone; and if you like sex, birth_date, nation, address,
    country, channel; or their Chinese names."""
    key = idempotency.check_key(header.idempotency_key)
    opened, is_replay = take_list(raw.stream, key=key, name=query.name)
    reply = present(opened, 202)
    reply.headers.update({"Idempotency-Replayed": "true"} if is_replay else {})
    return reply


@api.get("/batches", responses={200: BatchList})
@requires("health_card:batch:manage")
def list_batches(query: BatchQuery) -> Response:
    """All batches, newest first, 50 a page"""
    with db.snapshot() as session:
        batches = service.list_batches(session, before=query.before)
    return present(BatchList(batches=[BatchShown.of(batch) for batch in batches]))


@api.get("/batches/<uuid:batch_id>", responses={200: BatchShown})
@requires("health_card:batch:manage")
def get_batch(path: BatchPath) -> Response:
    """How far a batch has come"""
    with db.snapshot() as session:
        batch = service.get_batch(session, path.batch_id)
    return present(BatchShown.of(batch))


@api.post("/batches/<uuid:batch_id>/pause", responses={200: BatchShown})
@requires("health_card:batch:manage")
def pause_batch(path: BatchPath) -> Response:
    """Stop within seconds; nothing is lost"""
    with db.transaction() as session:
        batch = service.pause_batch(session, current_actor(), batch_id=path.batch_id)
    return present(BatchShown.of(batch))


@api.post("/batches/<uuid:batch_id>/resume", responses={200: BatchShown})
@requires("health_card:batch:manage")
def resume_batch(path: BatchPath) -> Response:
    """Go on where it stopped"""
    with db.transaction() as session:
        batch = service.resume_batch(session, current_actor(), batch_id=path.batch_id)
    return present(BatchShown.of(batch))


@api.post("/batches/<uuid:batch_id>/cancel", responses={200: BatchShown})
@requires("health_card:batch:manage")
def cancel_batch(path: BatchPath) -> Response:
    """Issue no more cards from this list; those that were issued stay in force"""
    with db.transaction() as session:
        batch = service.cancel_batch(session, current_actor(), batch_id=path.batch_id)
    return present(BatchShown.of(batch))


@api.get("/batches/<uuid:batch_id>/refused-rows", responses={200: RefusedRowList})
@requires("health_card:batch:manage")
def list_refused_rows(path: BatchPath, query: RefusedRowQuery) -> Response:
    """Lines that got no card, each with its reason, 50 a page"""
    with db.snapshot() as session:
        rows = service.list_refused_rows(session, batch_id=path.batch_id, after=query.after)
    shown = [RefusedRow.model_validate(row) for row in service.describe_rows(rows)]
    return present(RefusedRowList(rows=shown))


@api.get("/batches/<uuid:batch_id>/result.csv", openapi_extensions={"x-also-produces": [_CSV]})
@requires("health_card:batch:manage")
def export_result(path: BatchPath) -> Response:
    """What became of every line, as CSV, for 30 days after the end

    Columns: line, outcome, card number, code of the reason, the reason, column at fault, what to do."""
    with db.transaction() as session:
        result = service.export_result(session, current_actor(), batch_id=path.batch_id)
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="batch-{path.batch_id}.csv"'}
    return Response(result, 200, headers, mimetype=_CSV)


def _parts(stream: IO[bytes]) -> Iterator[bytes]:
    while part := stream.read(_READ_BYTES):
        yield part
