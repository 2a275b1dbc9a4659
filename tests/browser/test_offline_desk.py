"""The browser's half of reading codes without the network: the same codes, the same answers as in Python."""

import hashlib
import json
from typing import Any

import jwt
import pytest

from health_card.offline.schemas import OfflineEntry
from tests.browser.conftest import Visitor
from tests.support import bad_codes
from tests.support import code_vectors as vectors

pytestmark = pytest.mark.system("chromium")

DOCUMENT: dict[str, Any] = json.loads(bad_codes.FILE.read_text())

READ_ALL = """async ({ document, texts, now }) => {
    const { loadTrust, readCode } = await import("/static/desk/offline.js");
    const trust = await loadTrust(document.key_set, document.revocations, now);
    const found = [];
    for (const text of texts) {
        try {
            const reading = await readCode(trust, text, now);
            found.push([reading.kind, reading.cardNumber]);
        } catch (refused) {
            found.push(refused.code ?? String(refused));
        }
    }
    return found;
}"""

LOAD_STALE = """async ({ stale, now }) => {
    const { loadTrust, TrustStale } = await import("/static/desk/offline.js");
    const found = [];
    for (const { key_set, revocations } of stale) {
        const loading = loadTrust(key_set, revocations, now);
        found.push(await loading.then(() => false, (error) => error instanceof TrustStale));
    }
    return found;
}"""

QUEUE = """async ({ document, texts, now, algorithm }) => {
    const { loadTrust, Queue } = await import("/static/desk/offline.js");
    const trust = await loadTrust(document.key_set, document.revocations, now);
    const keys = await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
    const name = `queue-${crypto.randomUUID()}`;
    const queue = await Queue.open(name, "W01", keys);
    const found = [];
    for (const text of texts) {
        found.push(await queue.accept(trust, text, now).then((reading) => reading.kind, (refused) => refused.code));
    }
    const again = await Queue.open(name, "W01", keys);
    const reopened = await again.accept(trust, texts[0], now).then(() => "accepted", (refused) => refused.code);
    const entries = again.entries;
    await again.forgetBefore(entries.length + 1);
    const left = (await Queue.open(name, "W01", keys)).entries.length;
    await new Promise((done) => (again.store("readwrite").put({ ...entries.at(-1), scanned_at: 5 }).onsuccess = done));
    const touched = await Queue.open(name, "W01", keys).then(() => "good", (broken) => broken.constructor.name);
    return { found, reopened, entries, left, touched, key: await crypto.subtle.exportKey("jwk", keys.publicKey) };
}"""


def test_the_browser_reads_and_refuses_as_python_does(phone_window: Visitor) -> None:
    phone_window.go("/staff/sign-in")
    bad_ones = [bad for bad in DOCUMENT["bad"] if bad["offline"] is not None and not bad.get("is_replay")]
    texts = [good["text"] for good in DOCUMENT["good"]] + [bad["text"] for bad in bad_ones]
    sent = {"document": DOCUMENT, "texts": texts, "now": vectors.NOW}
    found = phone_window.page.evaluate(READ_ALL, sent)
    expected = [[good["kind"], good["card_number"]] for good in DOCUMENT["good"]] + [bad["offline"] for bad in bad_ones]
    wrong = {text: (was, should) for text, was, should in zip(texts, found, expected, strict=True) if was != should}
    assert wrong == {}
    stale = {"stale": DOCUMENT["stale_trusts"], "now": vectors.NOW}
    assert phone_window.page.evaluate(LOAD_STALE, stale) == [True] * len(DOCUMENT["stale_trusts"])
    assert (phone_window.complaints, phone_window.outside) == ([], [])


@pytest.mark.parametrize("algorithm", [{"name": "Ed25519"}, {"name": "ECDSA", "namedCurve": "P-256"}], ids=str)
def test_the_browsers_queue_is_signed_and_chained_as_the_platform_wants(
    phone_window: Visitor, algorithm: dict[str, str]
) -> None:
    phone_window.go("/staff/sign-in")
    first, second = vectors.code("queue 1"), vectors.device_code("queue 2")
    texts = [first, second, first, f"{vectors.GOOD}:1", vectors.code("queue 3", kind=b"C")]
    sent = {"document": DOCUMENT, "texts": texts, "now": vectors.NOW, "algorithm": algorithm}
    done = phone_window.page.evaluate(QUEUE, sent)
    assert done["found"] == ["D", "D", "health_card.code_redeemed", "S", "health_card.code_wrong_class"]
    assert (done["reopened"], done["left"], done["touched"]) == ("health_card.code_redeemed", 1, "QueueBroken")
    assert [entry["sequence"] for entry in done["entries"]] == [1, 2, 3]
    key, previous = (
        jwt.PyJWK({name: done["key"][name] for name in ("kty", "crv", "x", "y") if name in done["key"]}),
        bytes(32),
    )
    for sent_entry in done["entries"]:
        entry = OfflineEntry.model_validate(sent_entry).read()
        signed = entry.signed_text("W01")
        assert entry.previous == previous
        assert key.Algorithm.verify(signed, key.key, entry.signature)
        previous = hashlib.sha256(signed).digest()
