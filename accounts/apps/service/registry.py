"""Registering apps and looking after them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.apps.models import App
from accounts.apps.redirects import check_address
from accounts.apps.refusals import AppNotFound, RedirectAddressInvalid
from accounts.apps.scopes import check_scopes
from accounts.apps.service.authorizations import end_authorizations_of_app
from accounts.refusals import ClientIdTaken, ScopeUnknown
from accounts.service.clients import check_client_keys
from core import audit, clock
from core.actor import Actor
from core.ids import new_id


@dataclass(frozen=True)
class AppDetails:
    """What a patient is told of an app, where it is answered, and what it may ask for."""

    name: str
    provider: str
    contact: str
    purpose: str
    redirect_uris: list[str]
    scopes: list[str]


@dataclass(frozen=True)
class AppFile(AppDetails):
    """An app as the security administrator sees it. ``kids``: the names of its keys; none: a public client."""

    id: UUID
    client_id: str
    kids: list[str]
    is_enabled: bool
    created_at: datetime


def register_app(
    session: Session, actor: Actor, *, client_id: str, details: AppDetails, jwks: Mapping[str, Any] | None
) -> UUID:
    """Register an app.

    :param jwks: its public keys; None: it is a public client.
    :raises RedirectAddressInvalid: an address at which no app may be answered.
    :raises ScopeUnknown: a scope that is not offered to apps, or none on a patient.
    :raises ClientKeysInvalid: private, weak, nameless or unknown keys.
    :raises ClientIdTaken: the client_id is in use.
    """
    app_id = session.scalar(
        insert(App)
        .values(
            id=new_id(),
            client_id=client_id,
            jwks=None if jwks is None else check_client_keys(jwks),
            is_enabled=True,
            created_at=clock.now(),
            **_check(details),
        )
        .on_conflict_do_nothing(index_elements=["client_id"])
        .returning(App.id)
    )
    if app_id is None:
        raise ClientIdTaken
    facts = {"scopes": details.scopes, "is_public": jwks is None}
    audit.record_act(session, actor, "accounts.app.registered", of=("app", app_id), facts=facts)
    return app_id


def change_app(session: Session, actor: Actor, app_id: UUID, *, details: AppDetails, is_enabled: bool) -> None:
    """Put an app's facts in place of the earlier ones. Switched off, it and its tokens are out at once.

    What patients agreed to ends when another provider or purpose is told than they were (PIPL, article 14). Fewer
    scopes end none of theirs.

    :raises AppNotFound: no such app.
    :raises RedirectAddressInvalid: as ``register_app``; so is ScopeUnknown.
    """
    app = _load(session, app_id)
    if (app.provider, app.purpose) != (details.provider, details.purpose):
        end_authorizations_of_app(session, actor, app_id=app_id, reason="purpose_changed")
    for name, value in _check(details).items():
        setattr(app, name, value)
    app.is_enabled = is_enabled
    facts = {"scopes": app.scopes, "is_enabled": is_enabled}
    audit.record_act(session, actor, "accounts.app.changed", of=("app", app_id), facts=facts)


def replace_app_keys(session: Session, actor: Actor, app_id: UUID, *, jwks: Mapping[str, Any]) -> None:
    """Put a key set in place of the earlier one, or of none: the app is confidential from now on.

    :raises AppNotFound: no such app.
    :raises ClientKeysInvalid: private, weak, nameless or unknown keys.
    """
    app = _load(session, app_id)
    app.jwks = check_client_keys(jwks)
    facts = {"keys": len(app.jwks["keys"])}
    audit.record_act(session, actor, "accounts.app.keys_replaced", of=("app", app_id), facts=facts)


def list_apps(session: Session) -> list[AppFile]:
    """Every app, by client_id."""
    return [_show(app) for app in session.scalars(select(App).order_by(App.client_id))]


def _show(app: App) -> AppFile:
    return AppFile(
        name=app.name,
        provider=app.provider,
        contact=app.contact,
        purpose=app.purpose,
        redirect_uris=app.redirect_uris,
        scopes=app.scopes,
        id=app.id,
        client_id=app.client_id,
        kids=[str(key["kid"]) for key in app.jwks["keys"]] if app.jwks else [],
        is_enabled=app.is_enabled,
        created_at=app.created_at,
    )


def _load(session: Session, app_id: UUID) -> App:
    app = session.get(App, app_id, with_for_update={"key_share": True})
    if app is None:
        raise AppNotFound
    return app


def _check(details: AppDetails) -> dict[str, Any]:
    try:
        addresses = [check_address(text) for text in dict.fromkeys(details.redirect_uris)]
    except ValueError as error:
        raise RedirectAddressInvalid from error
    try:
        scopes = check_scopes(details.scopes)
    except ValueError as error:
        raise ScopeUnknown from error
    if not addresses:
        raise RedirectAddressInvalid
    return {
        "name": details.name,
        "provider": details.provider,
        "contact": details.contact,
        "purpose": details.purpose,
        "redirect_uris": addresses,
        "scopes": scopes,
    }
