"""One version of a grant as it was kept, signed: compact JWS (RFC 7515), EdDSA (RFC 8037), over canonical JSON."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.models import Grant, GrantVersion
from consent.proving.refusals import GrantVersionNotFound
from consent.service import scoping
from consent.service.grants import show_grant
from core import audit, canonical_json, clock, keys
from core.actor import Actor, ActorKind
from health_card import service as health_card

PURPOSE = "grant"
TYPE = "grant+jws"


@dataclass(frozen=True)
class Proof:
    """A signed version. ``jws``: compact."""

    grant_id: UUID
    version: int
    kid: str
    jws: str


def prove_grant(session: Session, actor: Actor, *, grant_id: UUID, version: int | None, issuer: str) -> Proof:
    """A version of a grant, for who may act for its person. Raises and takes what ``prove_received_grant`` does."""
    mine = Grant.person_id.in_(health_card.held_person_ids(actor))
    return _prove(session, actor, mine, grant_id=grant_id, version=version, issuer=issuer)


def prove_received_grant(session: Session, actor: Actor, *, grant_id: UUID, version: int | None, issuer: str) -> Proof:
    """A version of a grant, for its recipient, also when it has ended: a house's machine proves every grant of the
    house, its staff those that are for them.

    :param version: None: the one that holds now, or held last.
    :param issuer: the platform's address.
    :raises GrantVersionNotFound: none such for this actor.
    """
    theirs = Grant.hospital_id == actor.house_id if actor.kind is ActorKind.MACHINE else scoping.is_to(actor)
    return _prove(session, actor, theirs, grant_id=grant_id, version=version, issuer=issuer)


def list_public_keys(session: Session) -> list[dict[str, Any]]:
    """Every key that a proof may be signed with, as JWKs (RFC 8037, section 2): what is proven outlives its key."""
    return [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": urlsafe_b64encode(key.public_key).rstrip(b"=").decode(),
            "kid": key.kid,
            "use": "sig",
            "alg": keys.EDDSA,
        }
        for key in keys.list_lasting(session, PURPOSE)
    ]


def _prove(
    session: Session,
    actor: Actor,
    whose: ColumnElement[bool],
    *,
    grant_id: UUID,
    version: int | None,
    issuer: str,
) -> Proof:
    grant = session.scalars(select(Grant).where(Grant.id == grant_id, whose)).one_or_none()
    kept = session.get(GrantVersion, (grant.id, version or grant.version)) if grant else None
    if grant is None or kept is None:
        raise GrantVersionNotFound
    audit.record_act(
        session,
        actor,
        "consent.grant.proven",
        subject_id=grant.person_id,
        of=("grant", grant.id),
        basis=(grant.id, kept.version),
    )
    ring = keys.ring(session, PURPOSE)
    content = {
        "iss": issuer,
        "iat": int(clock.now().timestamp()),
        "hospital": _name_hospital(session, grant),
        "status": show_grant(session, grant).status,
        "current_version": grant.version,
        "grant": kept.said,
    }
    header = {"kid": ring.signing_kid, "typ": TYPE}
    signed = jwt.PyJWS().encode(canonical_json.write(content), ring.signing_key, algorithm=keys.EDDSA, headers=header)
    return Proof(grant.id, kept.version, ring.signing_kid, signed)


def _name_hospital(session: Session, grant: Grant) -> dict[str, str] | None:
    """As others know it: an id is known here alone."""
    if grant.hospital_id is None:
        return None
    house = accounts.get_hospital(session, grant.hospital_id)
    return {"code": house.code, "name": house.name}
