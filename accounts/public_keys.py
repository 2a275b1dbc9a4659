"""Public keys that others register with us, as JWK (RFC 7517, 7518, 8037): what is accepted, and their thumbprints."""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

SMALLEST_RSA_BITS = 2048

# RFC 7518, section 3.1, and RFC 8037, section 3.1: each algorithm has one kind of key.
_KINDS = {
    "EdDSA": ("OKP", "Ed25519"),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "PS256": ("RSA", None),
}
_MEMBERS = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def check_public_key(jwk: Mapping[str, Any], algorithms: Collection[str]) -> dict[str, Any]:
    """The key with nothing but what verifying needs: its members, ``alg`` and, when it has one, ``kid``.

    :raises ValueError: private or symmetric, another algorithm, another curve, or too weak; the text says which.
    """
    if _PRIVATE & jwk.keys():
        raise ValueError("it holds private members; send the public key only, and make a new pair")
    algorithm = jwk.get("alg")
    if algorithm not in algorithms or algorithm not in _KINDS:
        raise ValueError(f"alg must be one of {', '.join(algorithms)}")
    kind, curve = _KINDS[algorithm]
    if jwk.get("kty") != kind or jwk.get("crv") != curve:
        raise ValueError(f"kty and crv must be those of {algorithm}")
    if jwk.get("use", "sig") != "sig" or jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise ValueError("use must be sig, key_ops verify")
    _check_strength(jwk)
    kept = {name: jwk[name] for name in _MEMBERS[kind]} | {"alg": algorithm}
    return kept | ({"kid": jwk["kid"]} if "kid" in jwk else {})


def check_key_set(jwks: Mapping[str, Any], algorithms: Collection[str]) -> dict[str, Any]:
    """A JWK Set of 1 to 10 public keys, each with a ``kid`` of its own.

    :raises ValueError: it is not; the text says why.
    """
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= 10 or not all(isinstance(key, dict) for key in keys):
        raise ValueError("keys must be a list of 1 to 10 keys")
    for key in keys:
        if not isinstance(key.get("kid"), str) or not re.fullmatch(r"[!-~]{1,128}", key["kid"]):
            raise ValueError("every key needs a kid of 1 to 128 printable characters")
    if len({key["kid"] for key in keys}) < len(keys):
        raise ValueError("no two keys may have one kid")
    return {"keys": [check_public_key(key, algorithms) for key in keys]}


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The SHA-256 thumbprint of RFC 7638, base64url."""
    members = {name: jwk[name] for name in _MEMBERS[jwk["kty"]]}
    return base64url_sha256(json.dumps(members, separators=(",", ":"), sort_keys=True))


def base64url_sha256(text: str) -> str:
    """SHA-256 of the text's UTF-8, base64url without padding, as JOSE writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _check_strength(jwk: Mapping[str, Any]) -> None:
    try:
        key = jwt.PyJWK(dict(jwk)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError("it is not a well-formed key") from error
    if isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA_BITS:
        raise ValueError(f"an RSA key needs at least {SMALLEST_RSA_BITS} bits")
