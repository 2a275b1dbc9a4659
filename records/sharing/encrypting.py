"""Files of SMART Health Links: a FHIR resource, compressed and encrypted for who holds the link. Pure.

Source: SMART Health Links, "Encrypting and Decrypting Files": JWE compact (RFC 7516), ``dir``, A256GCM, ``zip: DEF``.
"""

from collections.abc import Mapping
from typing import Any

from joserfc import jwe
from joserfc.jwk import OctKey

from core import exact_json

FHIR_JSON = "application/fhir+json"


def encrypt(resource: Mapping[str, Any], key: bytes) -> str:
    """:param key: 32 bytes, those of the link."""
    header = {"alg": "dir", "enc": "A256GCM", "zip": "DEF", "cty": FHIR_JSON}
    return jwe.encrypt_compact(header, exact_json.dump(resource).encode(), OctKey.import_key(key))
