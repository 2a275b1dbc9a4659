"""What ``fhir_create`` is measured beside: fhirstarter with the least that a server has to do, and less than that.

``create_app`` is a FHIR server made with fhirstarter: it checks the resource against the models and keeps it with one
insert, committed durably. ``create_bare`` keeps what comes, unread but for its being JSON. Neither knows who asks.
"""

import asyncio
import json
import os
import threading

import psycopg
from flask import Flask, Response, request

from core.ids import new_id

# fhirstarter reads it when it is imported.
os.environ["FHIR_SEQUENCE"] = "R4B"

from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhirstarter import FHIRProvider, FHIRStarter, InteractionContext

TABLE = "CREATE TABLE kept_resources (id uuid PRIMARY KEY, resource jsonb NOT NULL)"
_KEEP = "INSERT INTO kept_resources (id, resource) VALUES (%s, %s)"


class _Store:
    """One connection for each request that is under way, each opened once."""

    def __init__(self, database_url: str) -> None:
        self._address = database_url.replace("+psycopg", "", 1)
        self._free: list[psycopg.AsyncConnection] = []
        self._most = asyncio.Semaphore(4)

    async def keep(self, resource: str) -> str:
        resource_id = str(new_id())
        async with self._most:
            connection = (
                self._free.pop()
                if self._free
                else await psycopg.AsyncConnection.connect(self._address, autocommit=True)
            )
            await connection.execute(_KEEP, (resource_id, resource))
            self._free.append(connection)
        return resource_id


def create_app() -> FHIRStarter:
    """The server as an ASGI application, on the database that the environment names."""
    app, provider, store = FHIRStarter(title="bench"), FHIRProvider(), _Store(os.environ["DATABASE_URL"])

    @provider.create(DiagnosticReport)
    async def create(context: InteractionContext, resource: DiagnosticReport) -> str:
        del context  # Who asks is not looked at.
        return await store.keep(resource.model_dump_json())

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    app.add_providers(provider)
    return app


def create_bare() -> Flask:
    """One insert behind a bare route, as a WSGI application."""
    app, own = Flask(__name__), threading.local()
    address = os.environ["DATABASE_URL"].replace("+psycopg", "", 1)

    @app.post("/DiagnosticReport")
    def create() -> Response:
        json.loads(request.data)
        if not hasattr(own, "connection"):
            own.connection = psycopg.connect(address, autocommit=True)
        resource_id = new_id()
        own.connection.execute(_KEEP, (resource_id, request.data.decode()))
        return Response(status=201, headers={"Location": f"DiagnosticReport/{resource_id}/_history/1"})

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    return app
