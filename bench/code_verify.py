"""Reading a code: shape and signature, in microseconds, beside the signature check alone."""

import time
from collections.abc import Callable, Iterable
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.harness import Figure, Round, Settings, alternate, percentile
from core import clock
from health_card import codes

CODES = 2000
_ISSUER, _KID = "BENCH0001", "00c0ffee"


def measure(settings: Settings) -> list[Figure]:
    """Each round reads as many codes; the ceiling verifies as many signatures over a text of the same length."""
    private = Ed25519PrivateKey.generate()
    public, signer = private.public_key(), codes.Signer(_KID, private)
    texts = [
        codes.write_dynamic(signer, card_number=f"{n:064X}", epoch=0, issuer=_ISSUER, issued_at=clock.now())
        for n in range(CODES)
    ]
    signed = [text.encode()[:114] for text in texts]
    signatures = [private.sign(text) for text in signed]
    keys = {_KID: public}
    reading = [partial(codes.read_code, text, keys, _ISSUER) for text in texts]
    verifying = [partial(public.verify, *pair) for pair in zip(signatures, signed, strict=True)]
    contenders = {"read_code": lambda: _time(reading), "Ed25519 alone": lambda: _time(verifying)}
    return alternate("code_verify", contenders, settings.rounds)


def _time(acts: Iterable[Callable[[], object]]) -> Round:
    spent = []
    for act in acts:
        started = time.perf_counter()
        act()
        spent.append((time.perf_counter() - started) * 1_000_000)
    return {"p50_us": percentile(spent, 50), "p99_us": percentile(spent, 99)}
