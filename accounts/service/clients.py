"""Registering hospital systems and looking after their keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.assertions import ALGORITHMS
from accounts.models import Hospital, MachineClient
from accounts.public_keys import check_key_set
from accounts.refusals import ClientIdTaken, ClientKeysInvalid, ClientNotFound, ScopeUnknown
from accounts.roles import SCOPE_PERMISSIONS
from accounts.service.hospitals import load_hospital
from core import audit, clock
from core.actor import Actor


@dataclass(frozen=True)
class ClientFile:
    """A hospital system as the security administrator sees it. ``kids``: the names of its keys."""

    id: UUID
    client_id: str
    hospital_id: UUID
    hospital_name: str
    name: str
    kids: list[str]
    scopes: list[str]
    is_enabled: bool
    created_at: datetime


def register_client(
    session: Session,
    actor: Actor,
    *,
    hospital_id: UUID,
    client_id: str,
    name: str,
    jwks: Mapping[str, Any],
    scopes: list[str],
) -> UUID:
    """Register a hospital system with its public keys (a JWK Set, RFC 7517; each key with ``kid`` and ``alg``).

    :raises HospitalNotFound: no such hospital.
    :raises ClientKeysInvalid: private, weak, nameless or unknown keys.
    :raises ScopeUnknown: a scope that the platform does not know.
    :raises ClientIdTaken: the client_id is in use.
    """
    load_hospital(session, hospital_id)
    checked, known = check_client_keys(jwks), _check_scopes(scopes)
    row_id = session.scalar(
        insert(MachineClient)
        .values(
            client_id=client_id, hospital_id=hospital_id, name=name, jwks=checked, scopes=known, created_at=clock.now()
        )
        .on_conflict_do_nothing(index_elements=["client_id"])
        .returning(MachineClient.id)
    )
    if row_id is None:
        raise ClientIdTaken
    audit.record_act(
        session, actor, "accounts.client.registered", of=("machine_client", row_id), facts={"scopes": known}
    )
    return row_id


def change_client(
    session: Session, actor: Actor, row_id: UUID, *, name: str, scopes: list[str], is_enabled: bool
) -> None:
    """Put a client's facts in place of the earlier ones. Switched off, it and its tokens are out at once.

    :raises ClientNotFound: no such client.
    :raises ScopeUnknown: a scope that the platform does not know.
    """
    client = _load(session, row_id)
    client.name, client.scopes, client.is_enabled = name, _check_scopes(scopes), is_enabled
    audit.record_act(
        session,
        actor,
        "accounts.client.changed",
        of=("machine_client", row_id),
        facts={"scopes": client.scopes, "is_enabled": is_enabled},
    )


def replace_client_keys(session: Session, actor: Actor, row_id: UUID, *, jwks: Mapping[str, Any]) -> None:
    """Put a new key set in place of the earlier one. With the old and the new key in it, a system changes at leisure.

    :raises ClientNotFound: no such client.
    :raises ClientKeysInvalid: private, weak, nameless or unknown keys.
    """
    client = _load(session, row_id)
    client.jwks = check_client_keys(jwks)
    facts = {"keys": len(client.jwks["keys"])}
    audit.record_act(session, actor, "accounts.client.keys_replaced", of=("machine_client", row_id), facts=facts)


def list_clients(session: Session) -> list[ClientFile]:
    """Every hospital system, by hospital and client_id."""
    rows = session.execute(
        select(MachineClient, Hospital.name)
        .join(Hospital, Hospital.id == MachineClient.hospital_id)
        .order_by(Hospital.code, MachineClient.client_id)
    )
    return [
        ClientFile(
            client.id,
            client.client_id,
            client.hospital_id,
            hospital_name,
            client.name,
            [str(key.get("kid")) for key in client.jwks["keys"]],
            client.scopes,
            client.is_enabled,
            client.created_at,
        )
        for client, hospital_name in rows
    ]


def _load(session: Session, row_id: UUID) -> MachineClient:
    client = session.get(MachineClient, row_id, with_for_update={"key_share": True})
    if client is None:
        raise ClientNotFound
    return client


def check_client_keys(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """The public keys of a hospital system or an app, as they are kept.

    :raises ClientKeysInvalid: private, weak, nameless or unknown keys.
    """
    try:
        return check_key_set(jwks, ALGORITHMS)
    except ValueError as error:
        raise ClientKeysInvalid(f"{ClientKeysInvalid.detail} Here: {error}.") from error


def _check_scopes(scopes: list[str]) -> list[str]:
    if set(scopes) - SCOPE_PERMISSIONS.keys():
        raise ScopeUnknown
    return list(dict.fromkeys(scopes))
