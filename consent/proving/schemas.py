"""What proving a grant takes in and gives out."""

from uuid import UUID

from pydantic import Field

from core.api import Received, Shown


class ProofQuery(Received):
    version: int | None = Field(
        None, ge=1, lt=2**31, description="left out: the one that holds now, or held when it ended"
    )


class GrantProof(Shown):
    grant_id: UUID
    version: int
    kid: str = Field(description="of a key in /.well-known/yimatong/grant-keys.json")
    jws: str = Field(
        description="compact JWS (RFC 7515), EdDSA, typ grant+jws; its payload is canonical JSON (RFC 8785): `iss`, "
        "`iat` (when it was signed), `hospital` (code and name of the recipient; null: a share link), `status` at "
        "that moment (in_force, expired, revoked or used_up), `current_version`, and `grant`: this version as it was "
        "kept, with `person_id` (the id of the FHIR Patient), recipient, scope, purpose, times and `notice_hash`"
    )


class GrantKey(Shown):
    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class GrantKeySet(Shown):
    keys: list[GrantKey]
