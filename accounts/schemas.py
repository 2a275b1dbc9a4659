"""What accounts takes in and gives out."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from accounts.apps.service import AppTokens, TokenFacts
from accounts.service.logins import TokenPair
from accounts.tokens import AccessToken
from core.api import Received, Shown


class WechatCode(Received):
    code: str = Field(min_length=1, max_length=128, description="from wx.login; valid 5 minutes, once")


class RefreshRequest(Received):
    refresh_token: str = Field(min_length=20, max_length=128)


class Tokens(Shown):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="seconds")
    refresh_token: str = Field(description="for one use; using it twice ends the sign-in")
    refresh_expires_at: datetime

    @classmethod
    def of(cls, pair: TokenPair) -> "Tokens":
        return cls(
            access_token=pair.access.text,
            expires_in=pair.access.expires_in_seconds,
            refresh_token=pair.refresh_token,
            refresh_expires_at=pair.refresh_expires_at,
        )


class StaffCredentials(Received):
    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


class StaffSessionShown(Shown):
    token: str = Field(description="send as Authorization: Bearer; ends after 30 minutes without use")
    expires_at: datetime
    name: str
    role: str
    hospital_name: str | None
    must_change_password: bool = Field(description="true: the password is for once; only PUT /staff/password is open")


class PasswordChange(Received):
    current_password: str = Field(min_length=1, max_length=256)
    new_password: str = Field(
        min_length=1,
        max_length=256,
        description="at least 12 characters, 6 different ones, without the user name, not the one in use",
    )


class PasswordForm(PasswordChange):
    repeated_password: str = Field(min_length=1, max_length=256)

    @model_validator(mode="after")
    def _is_repeated(self) -> "PasswordForm":
        if self.new_password != self.repeated_password:
            raise ValueError("the new password and its repetition differ")
        return self


class PublicJwk(Received):
    """RFC 7517. ES256: kty EC, crv P-256, x, y. EdDSA: kty OKP, crv Ed25519, x."""

    # WebCrypto exports ext and key_ops beside what a public key needs; they are not our business to refuse.
    model_config = ConfigDict(extra="allow")

    kty: Literal["EC", "OKP"]
    crv: Literal["P-256", "Ed25519"]
    alg: Literal["ES256", "EdDSA"]
    x: str = Field(max_length=128)


class TerminalEnrolmentRequest(Received):
    code: str = Field(min_length=10, max_length=20, description="from the operator; 10 minutes, once")
    public_jwk: PublicJwk


class EnrolledTerminalShown(Shown):
    terminal_id: UUID
    code: str
    hospital_id: UUID
    hospital_name: str
    thumbprint: str = Field(description="of the key, RFC 7638")


class ClientForm(Received):
    """Who asks: a client assertion (RFC 7523, section 2.2), or the client_id of a public app."""

    # Standards add optional form fields over time (resource ...): they are not our business to refuse.
    model_config = ConfigDict(extra="ignore")

    client_id: str = Field("", max_length=128, description="of a public app")
    client_assertion_type: str = ""
    client_assertion: str = Field("", max_length=8192)


class TokenRequest(ClientForm):
    """RFC 6749, sections 4.4 (hospital systems), 4.1.3 with RFC 7636 and 6 (apps)."""

    grant_type: str
    scope: str | None = Field(None, max_length=2048)
    code: str = Field("", max_length=128, description="authorization_code")
    redirect_uri: str = Field("", max_length=512, description="authorization_code: the same as in the request")
    code_verifier: str = Field("", max_length=128, description="authorization_code: of the request's code_challenge")
    refresh_token: str = Field("", max_length=128, description="refresh_token: for one use")


class IssuedToken(Shown):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="seconds")
    scope: str
    refresh_token: str | None = Field(None, description="with offline_access; using it twice ends the authorization")
    patient: UUID | None = Field(None, description="of an app: the Patient whose records it may read")
    id_token: str | None = Field(
        None, description="with openid, for the code: who agreed, as a JWT (RS256) with sub, nonce and fhirUser"
    )

    @classmethod
    def of_system(cls, access: AccessToken, scope: str) -> "IssuedToken":
        return cls(
            access_token=access.text,
            expires_in=access.expires_in_seconds,
            scope=scope,
            refresh_token=None,
            patient=None,
            id_token=None,
        )

    @classmethod
    def of_app(cls, issued: AppTokens) -> "IssuedToken":
        return cls(
            access_token=issued.access.text,
            expires_in=issued.access.expires_in_seconds,
            scope=issued.scope,
            refresh_token=issued.refresh_token,
            patient=issued.person_id,
            id_token=issued.id_token,
        )


class IntrospectionRequest(Received):
    """RFC 7662, section 2.1."""

    model_config = ConfigDict(extra="ignore")

    token: str = Field(max_length=4096, description="access token of an app")
    token_type_hint: str | None = Field(None, max_length=64, description="passed over: there is one kind")


class IntrospectedToken(Shown):
    """RFC 7662, section 2.2; SMART App Launch 2, section 8."""

    active: bool = Field(description="false: it lets nobody do anything, and nothing else is told")
    scope: str | None = None
    client_id: str | None = None
    token_type: Literal["Bearer"] | None = None
    iss: str | None = None
    aud: str | None = None
    iat: int | None = Field(None, description="Unix seconds")
    exp: int | None = Field(None, description="Unix seconds")
    patient: UUID | None = Field(None, description="the Patient whose records it may read")
    sub: str | None = Field(None, description="with openid: who agreed, as in the id_token")
    fhir_user: str | None = Field(
        None, alias="fhirUser", description="with fhirUser: the address of the own Patient of who agreed"
    )

    @classmethod
    def of(cls, facts: TokenFacts | None, *, issuer: str) -> "IntrospectedToken":
        told: dict[str, Any] = {"active": facts is not None}
        if facts is not None:
            told |= {"scope": facts.scope, "client_id": facts.client_id, "token_type": "Bearer", "iss": issuer}
            told |= {"aud": issuer, "iat": facts.issued_at, "exp": facts.expires_at, "patient": facts.person_id}
            told |= {"sub": facts.subject, "fhirUser": facts.fhir_user}
        return cls.model_validate(told)


class RevocationRequest(ClientForm):
    """RFC 7009, section 2.1."""

    token: str = Field(max_length=4096, description="access or refresh token of the app")
