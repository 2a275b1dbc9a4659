"""The machine interface of the dictionary: for the operator and for hospitals' systems."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.items import service
from records.items.schemas import (
    ItemList,
    ItemPath,
    ItemQuery,
    ItemReceived,
    ItemShown,
    MappingList,
    MappingPath,
    MappingQuery,
    MappingReceived,
    MappingShown,
    UnmappedList,
    UnmappedQuery,
    UnmappedShown,
)

api = Api("items", tag="Items 项目字典", url_prefix="/api/v1")


@api.get("/items", responses={200: ItemList})
@requires("records:item:read")
def list_items(query: ItemQuery) -> Response:
    """The city's dictionary of items, in the order of their codes"""
    with db.snapshot() as session:
        items = service.list_items(session, **dict(query))
    return present(ItemList(items=[ItemShown.model_validate(item) for item in items]))


@api.get("/items/<code>", responses={200: ItemShown})
@requires("records:item:read")
def get_item(path: ItemPath) -> Response:
    """One item with its reference ranges"""
    with db.snapshot() as session:
        item = service.get_item(session, path.code)
    return present(ItemShown.model_validate(item))


@api.put("/operator/items/<code>", responses={200: ItemShown})
@requires("records:item:manage")
def save_item(path: ItemPath, body: ItemReceived) -> Response:
    """Make an item, or its next version; what it said before is kept"""
    with db.transaction() as session:
        item = service.save_item(
            session, current_actor(), code=path.code, content=body.content(), after_version=body.after_version
        )
    return present(ItemShown.model_validate(item))


@api.get("/unmapped-codes", responses={200: UnmappedList})
@requires("records:code_mapping:manage")
def list_unmapped(query: UnmappedQuery) -> Response:
    """The work list: codes of results that mean no item yet, most often seen first, with suggestions"""
    with db.transaction() as session:
        codes = service.list_unmapped(session, current_actor(), **dict(query))
    return present(UnmappedList(codes=[UnmappedShown.model_validate(code) for code in codes]))


@api.get("/code-mappings", responses={200: MappingList})
@requires("records:code_mapping:manage")
def list_mappings(query: MappingQuery) -> Response:
    """What codes mean: a hospital's own and everybody's, newest first"""
    with db.snapshot() as session:
        mappings = service.list_mappings(session, current_actor(), **dict(query))
    return present(MappingList(mappings=[MappingShown.model_validate(mapping) for mapping in mappings]))


@api.post("/code-mappings", responses={201: MappingShown})
@requires("records:code_mapping:manage")
def map_code(body: MappingReceived) -> Response:
    """Say what a code means, also for what is filed already; it replaces what was said before"""
    with db.transaction() as session:
        mapping = service.map_code(session, current_actor(), wanted=body.wanted())
    return present(MappingShown.model_validate(mapping), 201)


@api.delete("/code-mappings/<uuid:mapping_id>", responses={204: None})
@requires("records:code_mapping:manage")
def end_mapping(path: MappingPath) -> Response:
    """Take a mapping back"""
    with db.transaction() as session:
        service.end_mapping(session, current_actor(), mapping_id=path.mapping_id)
    return Response(status=204)
