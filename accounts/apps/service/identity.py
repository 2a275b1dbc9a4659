"""Who agreed, for apps that ask for it: id_tokens (OpenID Connect Core 1.0; SMART App Launch 2, section 3.0.9)."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jwt.algorithms import RSAAlgorithm
from sqlalchemy.orm import Session

from accounts.apps.models import App, AppAuthorization
from accounts.apps.scopes import FHIR_USER
from core import clock, keys
from core.vault import vault

PURPOSE = "id_token"
LIFE = timedelta(minutes=10)


def issue_id_token(
    session: Session, app: App, authorization: AppAuthorization, *, nonce: str | None, issuer: str
) -> str:
    """Sign who agreed and when; ``fhirUser`` is the address of the own record, where that was agreed to.

    :param nonce: of the authorization request.
    """
    now = clock.now()
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": app.client_id,
        "sub": subject_of(app.id, authorization.login_id),
        "iat": int(now.timestamp()),
        "exp": int((now + LIFE).timestamp()),
        "auth_time": int(authorization.agreed_at.timestamp()),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    user = address_user(authorization, authorization.scopes, issuer=issuer)
    if user is not None:
        claims["fhirUser"] = user
    signer = keys.load_rsa_signer(session, PURPOSE)
    return jwt.encode(claims, signer.key, algorithm=keys.RS256, headers={"kid": signer.kid})


def subject_of(app_id: UUID, login_id: UUID) -> str:
    """A login as one app knows it: two apps cannot compare whom they have (pairwise; OpenID Connect Core, 8.1)."""
    return vault().blind_index(str(login_id), context=f"apps.subject.{app_id}").hex()


def address_user(authorization: AppAuthorization, scopes: list[str] | tuple[str, ...], *, issuer: str) -> str | None:
    """The address of the Patient who agreed, as far as these scopes let it be told."""
    if FHIR_USER not in scopes or authorization.user_id is None:
        return None
    return f"{issuer}/fhir/Patient/{authorization.user_id}"


def list_public_keys(session: Session) -> list[dict[str, Any]]:
    """The keys by which id_tokens are verified, as JWKs (RFC 7517)."""
    return [_as_jwk(key) for key in keys.list_published(session, PURPOSE)]


def _as_jwk(published: keys.PublishedKey) -> dict[str, Any]:
    key = load_der_public_key(published.public_key)
    if not isinstance(key, RSAPublicKey):
        raise TypeError(f"{published.kid} is no RSA key")
    public = json.loads(RSAAlgorithm.to_jwk(key))
    members = {name: public[name] for name in ("kty", "n", "e")}
    return {**members, "kid": published.kid, "alg": keys.RS256, "use": "sig"}
