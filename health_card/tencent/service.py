"""Access of hospitals to the older interface: switched on and off, proved by a shared secret, limited to its scopes."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor, ActorKind
from core.vault import vault
from health_card.showings.refusals import HospitalUnknown
from health_card.tencent.envelope import Envelope
from health_card.tencent.models import TencentApp, TencentRequest
from health_card.tencent.refusals import (
    AccessNotFound,
    AppUnknown,
    FieldInvalid,
    RequestRepeated,
    ScopeMissing,
    SignWrong,
    TimestampStale,
    TokenInvalid,
)
from health_card.tencent.schemas import CommonIn

TOKEN_LIFE = timedelta(seconds=7200)
TIMESTAMP_WINDOW = timedelta(seconds=300)
# Longer than any timestamp can hold.
REQUESTS_KEPT_FOR = timedelta(hours=1)
CLIENT_NAME = "健康卡开放平台接口"

# Ties the sealed secret to its column.
_SEALED_COLUMN = "tencent_apps.secret"


class Scope(StrEnum):
    """What an access may be limited to. Showing dynamic codes is never given by itself."""

    REGISTER = "register"
    READ = "read"
    VERIFY = "verify"
    BIND = "bind"
    REPORT = "report"
    SHOW = "show"
    SHOW_DYNAMIC = "show_dynamic"

    @property
    def permission(self) -> str:
        return f"health_card:tencent:{self.value}"


_FIRST_SCOPES = [scope.value for scope in Scope if scope is not Scope.SHOW_DYNAMIC]


@dataclass(frozen=True)
class Access:
    """A hospital's access as the operator sees it. ``hospital_id``: the organisation code, as requests write it."""

    app_id: str
    hospital_id: str
    hospital_name: str
    is_enabled: bool
    shows_dynamic_codes: bool
    created_at: datetime


@dataclass(frozen=True)
class IssuedSecret:
    """What a hospital's system needs to sign, as handed out, once."""

    app_id: str
    hospital_id: str
    app_secret: str


def switch_on(session: Session, actor: Actor, *, hospital_code: str) -> IssuedSecret:
    """Give a hospital access, or give it again: switched on, with a new secret. Tokens of before end.

    :raises HospitalUnknown: no such hospital.
    """
    house = _find_house(session, hospital_code)
    if house is None:
        raise HospitalUnknown
    # Two operators at the same moment: the second one finds the first one's access.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"tencent_apps:{house.id}", 0))))
    app = session.scalars(select(TencentApp).filter_by(hospital_id=house.id).with_for_update()).one_or_none()
    if app is None:
        app = _open_app(session, actor, house)
    app.is_enabled = True
    audit.record_act(session, actor, "health_card.tencent_app.switched_on", of=("hospital", house.id))
    return IssuedSecret(app.app_id, house.code, _renew_secret(session, actor, app))


def rotate_secret(session: Session, actor: Actor, *, app_id: str) -> IssuedSecret:
    """A new secret in place of the earlier one, which is worthless at once, as are its tokens.

    :raises AccessNotFound: no such access.
    """
    app = _load_app(session, app_id)
    house = accounts.get_hospital(session, app.hospital_id)
    return IssuedSecret(app.app_id, house.code, _renew_secret(session, actor, app))


def change_access(
    session: Session, actor: Actor, *, app_id: str, is_enabled: bool, shows_dynamic_codes: bool
) -> Access:
    """Switch an access on or off, and say whether it may show dynamic codes. Off, it is out from the next request on.

    :raises AccessNotFound: no such access.
    """
    app = _load_app(session, app_id)
    app.is_enabled = is_enabled
    app.scopes = [*_FIRST_SCOPES, Scope.SHOW_DYNAMIC.value] if shows_dynamic_codes else list(_FIRST_SCOPES)
    if not is_enabled:
        app.token_hash = app.token_expires_at = None
    audit.record_act(
        session,
        actor,
        "health_card.tencent_app.changed",
        of=("hospital", app.hospital_id),
        facts={"is_enabled": is_enabled, "scopes": app.scopes},
    )
    return _describe(app, accounts.get_hospital(session, app.hospital_id))


def list_accesses(session: Session) -> list[Access]:
    """Every access, by hospital."""
    apps = session.scalars(select(TencentApp)).all()
    houses = accounts.list_hospitals(session, {app.hospital_id for app in apps})
    found = [_describe(app, houses[app.hospital_id]) for app in apps]
    return sorted(found, key=lambda access: access.hospital_id)


def issue_token(session: Session, envelope: Envelope, common: CommonIn, *, app_id: str) -> str:
    """A token of 7200 seconds for the access that signed this; the one before ends.

    :raises AppUnknown: unknown, switched off, or another hospital's app_id.
    :raises SignWrong, TimestampStale, RequestRepeated: see ``identify``.
    """
    # Locked, so that of two tokens at one moment the later one stands.
    app = _prove(session, envelope, common, for_update=True)
    if not hmac.compare_digest(app.app_id.encode(), app_id.encode()):
        raise AppUnknown
    token = secrets.token_hex(32).upper()
    app.token_hash, app.token_expires_at = _hash(token), clock.now() + TOKEN_LIFE
    who = Actor(ActorKind.MACHINE, app.client_id, frozenset(), hospital_id=app.hospital_id)
    audit.record_act(session, who, "health_card.tencent_app.signed_in", of=("hospital", app.hospital_id))
    return token


def identify(session: Session, envelope: Envelope, common: CommonIn) -> Actor:
    """Who signed this request; its requestId is used up.

    :raises AppUnknown: no access for this hospital, or it is switched off.
    :raises SignWrong: the signature does not hold.
    :raises TimestampStale: signed more than 300 seconds away from now.
    :raises RequestRepeated: the requestId was used before.
    :raises TokenInvalid: not the access's newest token, or older than 7200 seconds.
    """
    app = _prove(session, envelope, common)
    expires_at = app.token_expires_at or clock.now()
    is_newest = hmac.compare_digest(_hash(common.app_token), app.token_hash or b"")
    if not is_newest or expires_at <= clock.now():
        raise TokenInvalid
    permissions = frozenset(Scope(scope).permission for scope in app.scopes)
    return Actor(ActorKind.MACHINE, app.client_id, permissions, hospital_id=app.hospital_id)


def check_scope(actor: Actor, scope: Scope) -> None:
    """:raises ScopeMissing: the access is not for this."""
    if not actor.can(scope.permission):
        raise ScopeMissing


def check_house(session: Session, actor: Actor, hospital_code: str) -> None:
    """:raises FieldInvalid: another hospital is named in a request than the one that signed it."""
    if accounts.get_hospital(session, actor.house_id).code != hospital_code:
        raise FieldInvalid(["req.hospitalCode: must be the code of the hospital that signs"])


def _prove(session: Session, envelope: Envelope, common: CommonIn, *, for_update: bool = False) -> TencentApp:
    """The access that signed this request."""
    house = _find_house(session, common.hospital_id)
    theirs = TencentApp.hospital_id == (house.id if house else None)
    wanted = select(TencentApp).where(theirs, TencentApp.is_enabled.is_(True))
    app = session.scalars(wanted.with_for_update() if for_update else wanted).one_or_none()
    if app is None or accounts.find_client_house(session, app.client_id) is None:
        raise AppUnknown
    key = vault().unwrap(app.data_key)
    if not envelope.is_signed_with(key.unseal(app.secret_sealed, context=_SEALED_COLUMN)):
        raise SignWrong
    _check_timestamp(common)
    _use_up(session, app, common.request_id)
    return app


def _check_timestamp(common: CommonIn) -> None:
    text = str(common.timestamp)
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else 0
    if abs(seconds - clock.now().timestamp()) > TIMESTAMP_WINDOW.total_seconds():
        raise TimestampStale


def _use_up(session: Session, app: TencentApp, request_id: str) -> None:
    """The primary key decides, so of two at the same moment one is refused."""
    now = clock.now()
    used = session.scalar(
        insert(TencentRequest)
        .values(client_id=app.client_id, request_id=request_id, received_at=now)
        .on_conflict_do_nothing()
        .returning(TencentRequest.request_id)
    )
    if used is None:
        raise RequestRepeated
    old = TencentRequest.received_at < now - REQUESTS_KEPT_FOR
    session.execute(delete(TencentRequest).where(TencentRequest.client_id == app.client_id, old))


def _open_app(session: Session, actor: Actor, house: accounts.HospitalCard) -> TencentApp:
    app_id = secrets.token_hex(16)
    client_id = accounts.register_adapter_client(
        session, actor, hospital_id=house.id, client_id=f"tencent-{app_id}", name=CLIENT_NAME
    )
    _, wrapped = vault().new_key()
    app = TencentApp(
        client_id=client_id,
        hospital_id=house.id,
        app_id=app_id,
        data_key=wrapped,
        secret_sealed=b"",
        scopes=list(_FIRST_SCOPES),
        created_at=clock.now(),
    )
    session.add(app)
    return app


def _renew_secret(session: Session, actor: Actor, app: TencentApp) -> str:
    secret = secrets.token_hex(16)
    app.secret_sealed = vault().unwrap(app.data_key).seal(secret, context=_SEALED_COLUMN)
    app.token_hash = app.token_expires_at = None
    session.flush()
    audit.record_act(session, actor, "health_card.tencent_app.secret_issued", of=("hospital", app.hospital_id))
    return secret


def _load_app(session: Session, app_id: str) -> TencentApp:
    app = session.scalars(select(TencentApp).filter_by(app_id=app_id).with_for_update()).one_or_none()
    if app is None:
        raise AccessNotFound
    return app


def _find_house(session: Session, code: str) -> accounts.HospitalCard | None:
    return next(iter(accounts.find_hospitals_by_code(session, [code])), None)


def _describe(app: TencentApp, house: accounts.HospitalCard) -> Access:
    shows_dynamic_codes = Scope.SHOW_DYNAMIC.value in app.scopes
    return Access(app.app_id, house.code, house.name, app.is_enabled, shows_dynamic_codes, app.created_at)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
