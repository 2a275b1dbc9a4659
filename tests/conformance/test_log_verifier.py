"""Our checkpoints and proofs, taken and refused by the verifier of another transparency log: Sigstore's."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from flask import Flask

from core import db
from core.sealing import list_proofs
from core.sealing.check_proof import Key
from core.sealing.notes import list_keys
from tests.support.sealing import ORIGIN, act, seal

VERIFIER = Path(__file__).with_name("log_verifier") / "verify.mjs"
pytestmark = [pytest.mark.system("node"), pytest.mark.system("log-verifier")]


def verify(keys: Sequence[str], proofs: Sequence[str]) -> list[str | None]:
    """What it has against each, all in one process."""
    lines = "".join(json.dumps(line) + "\n" for line in (keys, *proofs))
    done = subprocess.run(["node", VERIFIER], input=lines, capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_another_logs_verifier_takes_our_proofs_and_no_forged_ones(app: Flask) -> None:
    ids = act(300)
    seal(most=77)
    with db.snapshot() as session:
        proofs = list_proofs(session, {*ids})
        signers = list_keys(session, ORIGIN)
    keys = [str(key) for key in signers]
    genuine = [str(proof) for proof in proofs.values()]
    assert len(genuine) == 300
    assert set(verify(keys, genuine)) == {None}
    one, other = genuine[0].split("\n"), genuine[1].split("\n")
    forged = [
        "\n".join([one[0], other[1], *one[2:]]),
        "\n".join([*one[:2], other[2], *one[3:]]),
        "\n".join([*one[:3], other[1], *one[4:]]),
        genuine[0].replace(ORIGIN, "another.example"),
    ]
    assert None not in verify(keys, forged)
    # The key's id is made of the log's name too.
    assert None not in verify([str(Key("another.example", key.public)) for key in signers], genuine[:1])
