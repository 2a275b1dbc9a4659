"""Hospital systems sign in with a signed assertion (OAuth 2 client credentials, private_key_jwt)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import Hospital, MachineClient, SpentAssertion
from accounts.refusals import ClientAssertionInvalid, ScopeNotAllowed
from accounts.tokens import MACHINE_LIFE, AccessToken, issue_token
from core import audit, clock
from core.actor import Actor, ActorKind

ALGORITHMS = ("EdDSA", "ES256", "ES384", "PS256")
LONGEST_ASSERTION_SECONDS = 300
CLOCK_SKEW_SECONDS = 30


def issue_machine_token(
    session: Session, *, assertion: str, scope: str | None, issuer: str, token_url: str
) -> tuple[AccessToken, str]:
    """Check a client assertion (RFC 7523; SMART Backend Services) and issue a token.

    :param scope: space-separated; all of the client's scopes when left out.
    :returns: the token and the scope that it carries.
    :raises ClientAssertionInvalid: unknown client, or the assertion does not hold.
    :raises ScopeNotAllowed: more was asked for than is registered.
    """
    client = _find_claimed_client(session, assertion)
    claims = _verify(client, assertion, audience=token_url)
    granted = tuple(scope.split()) if scope else tuple(client.scopes)
    if not set(granted) <= set(client.scopes):
        raise ScopeNotAllowed
    _spend(session, client, claims)
    token = issue_token(
        session, issuer=issuer, subject_kind="machine", subject_id=client.id, life=MACHINE_LIFE, scopes=granted
    )
    who = Actor(ActorKind.MACHINE, client.id, frozenset(), hospital_id=client.hospital_id)
    audit.record_act(session, who, "accounts.client.signed_in", of=("machine_client", client.id))
    return token, " ".join(granted)


def _find_claimed_client(session: Session, assertion: str) -> MachineClient:
    try:
        # Only to find whose keys to check against; nothing of it is believed before the signature.
        claimed = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
    except jwt.InvalidTokenError as error:
        raise ClientAssertionInvalid from error
    if not isinstance(claimed, str) or not re.fullmatch(r"[!-~]{1,128}", claimed):
        # Any other text (U+0000, half a surrogate pair) is not even a question that the database can be asked.
        raise ClientAssertionInvalid
    client = session.scalar(
        select(MachineClient)
        .join(Hospital, Hospital.id == MachineClient.hospital_id)
        .where(MachineClient.client_id == claimed)
        .where(MachineClient.is_enabled.is_(True), Hospital.is_enabled.is_(True))
    )
    if client is None:
        raise ClientAssertionInvalid
    return client


def _verify(client: MachineClient, assertion: str, *, audience: str) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(assertion)
        key = _registered_key(client, header)
        claims: dict[str, Any] = jwt.decode(
            assertion,
            key,
            algorithms=[key.algorithm_name],
            audience=audience,
            issuer=client.client_id,
            options={
                "require": ["iss", "sub", "aud", "exp", "iat", "jti"],
                "verify_exp": False,
                "verify_iat": False,
            },
        )
        _check_times_and_names(client, claims)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ClientAssertionInvalid from error
    return claims


def _registered_key(client: MachineClient, header: Mapping[str, Any]) -> jwt.PyJWK:
    """The one registered key that the header names exactly, with the algorithm it was registered for."""
    for candidate in client.jwks["keys"]:
        if candidate.get("kid") == header.get("kid") and candidate.get("alg") == header.get("alg"):
            if candidate["alg"] not in ALGORITHMS:
                break
            return jwt.PyJWK(candidate)
    raise KeyError("no such key")


def _check_times_and_names(client: MachineClient, claims: Mapping[str, Any]) -> None:
    now = clock.now().timestamp()
    issued, expires = float(claims["iat"]), float(claims["exp"])
    if not 0 < expires - issued <= LONGEST_ASSERTION_SECONDS:
        raise ValueError("too long-lived")
    if expires <= now or issued > now + CLOCK_SKEW_SECONDS:
        raise ValueError("not valid now")
    if claims["sub"] != client.client_id or isinstance(claims["aud"], list):
        raise ValueError("sub must be the client, aud one address")
    if not isinstance(claims["jti"], str) or not re.fullmatch(r"[!-~]{8,128}", claims["jti"]):
        raise ValueError("jti must be a text of 8 to 128 printable characters")


def _spend(session: Session, client: MachineClient, claims: Mapping[str, Any]) -> None:
    """Use up the jti: the primary key decides, so of two at the same moment one is refused."""
    expires_at = datetime.fromtimestamp(float(claims["exp"]), UTC)
    spent = session.scalar(
        insert(SpentAssertion)
        .values(client_id=client.id, jti=claims["jti"], expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(SpentAssertion.jti)
    )
    if spent is None:
        raise ClientAssertionInvalid
    session.execute(
        delete(SpentAssertion).where(SpentAssertion.client_id == client.id, SpentAssertion.expires_at < clock.now())
    )
