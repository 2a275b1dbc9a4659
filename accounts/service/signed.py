"""Statements that a hospital's system signs with a key of its own (JWS compact, RFC 7515)."""

from dataclasses import dataclass

import jwt
from jwt.api_jws import PyJWS
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import MachineClient
from core.actor import Actor

# RFC 7518, section 3.1, and RFC 8037: what a statement that others are shown may be signed with.
STATEMENT_ALGORITHMS = ("ES256", "ES384", "EdDSA")
_HEADER = {"alg", "kid", "typ"}


@dataclass(frozen=True)
class Signed:
    """A statement whose signature holds. ``kid``: by which of the client's registered keys."""

    kid: str
    payload: bytes


def read_signed(session: Session, actor: Actor, *, signed: str, kind: str) -> Signed:
    """Check a statement against the registered keys of the machine that sends it.

    :param kind: what its header must say as ``typ`` (RFC 7515, section 4.1.9), so that nothing else that was signed
        with the key can stand for it.
    :raises ValueError: it does not hold; the text says why.
    """
    jwks = session.scalar(select(MachineClient.jwks).where(MachineClient.id == actor.id))
    try:
        header = jwt.get_unverified_header(signed)
        if header.keys() - _HEADER or header.get("typ") != kind:
            raise ValueError(f"the header must be alg, kid and typ {kind}")
        algorithm, kid = header.get("alg"), header.get("kid")
        named = [key for key in (jwks or {"keys": []})["keys"] if key.get("kid") == kid and key.get("alg") == algorithm]
        if algorithm not in STATEMENT_ALGORITHMS or not named:
            raise ValueError(f"kid and alg must be those of a registered key for {', '.join(STATEMENT_ALGORITHMS)}")
        payload = PyJWS().decode(signed, jwt.PyJWK(named[0]), algorithms=[algorithm])
    except jwt.PyJWTError as error:
        raise ValueError("the signature does not hold") from error
    return Signed(str(kid), bytes(payload))
