// Reads health card codes at a desk without the network: the same rules as health_card/offline/desk.py, in a browser.
// Without the network a code says which card it is and nothing more. Layouts: docs/interfaces/codes.md.

export const KEYS_PATH = "/.well-known/yimatong/code-keys.json";
export const REVOCATIONS_PATH = "/.well-known/yimatong/code-revocations";
const LIFE_SECONDS = 60;
const SKEW_SECONDS = 30;
const LONGEST = 400;
const FIRST_PREVIOUS = "0".repeat(64);
const SHAPE = /^([0-9A-F]{64}):([01])(?::([A-Za-z0-9_-]{0,256}))?(?::([0-9A-Za-z]{4,32}))?$/;
// Version and class of a token -> its length in bytes.
const LENGTHS = { "1D": 88, "1C": 88, "1P": 108, "2D": 192 };

const utf8 = new TextEncoder();

/** A code does not hold; `code` as in the platform's list of refusals. */
export class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** The key set or the revocation list is too old or not genuine: without new ones nothing can be read. */
export class TrustStale extends Error {}

/** Entries of the queue were changed, or are missing. */
export class QueueBroken extends Error {}

/** Check what was published and make it ready. `keySet` must have come over https; `now` in Unix seconds. */
export async function loadTrust(keySet, revocations, now) {
  let claims, keys, trust;
  try {
    keys = new Map();
    for (const key of keySet.keys) {
      keys.set(key.kid, { key: await importKey(decode(key.x)), expiresAt: key.exp });
    }
    claims = await readRevocations(revocations, keys, now);
    trust = {
      issuer: keySet.issuer,
      keys,
      dead: new Set(chop(decode(claims.dead), 8).map(toHex)),
      raised: new Map(chop(decode(claims.raised), 10).map((row) => [toHex(row.slice(0, 8)), row[8] * 256 + row[9]])),
      expiresAt: Math.min(keySet.exp, claims.exp),
    };
  } catch (error) {
    throw new TrustStale("the key set or the revocation list is not genuine", { cause: error });
  }
  if (!(now < trust.expiresAt) || claims.iss !== trust.issuer) {
    throw new TrustStale("the key set or the revocation list is out of date");
  }
  return trust;
}

/** Which card the text is for, if it is good now: {kind, cardNumber, issuedAt, epoch, nonce}, kind S or D. */
export async function readCode(trust, text, now) {
  if (!(now < trust.expiresAt)) {
    throw new TrustStale("the key set or the revocation list is out of date");
  }
  const shape = text.length <= LONGEST ? SHAPE.exec(text) : null;
  refuseUnless(shape !== null, "malformed");
  const [, cardNumber, flag, token, issuer] = shape;
  let reading = { kind: "S", cardNumber };
  if (flag === "1") {
    refuseUnless(!token && (token === undefined || issuer !== undefined), "malformed");
  } else {
    refuseUnless(token && issuer, "malformed");
    reading = await readToken(trust, decode(token), cardNumber, issuer, now);
  }
  refuseUnless(issuer === undefined || issuer === trust.issuer, "forged");
  await checkInForce(trust, reading);
  return reading;
}

async function readToken(trust, raw, cardNumber, issuer, now) {
  const kind = `${raw[0]}${String.fromCharCode(raw[1])}`;
  refuseUnless(Object.hasOwn(LENGTHS, kind), "forged");
  refuseUnless(raw.length === LENGTHS[kind], "malformed");
  const owner = utf8.encode(`${cardNumber}:${issuer}`);
  const end = raw.length - 64;
  if (kind === "2D") {
    return readDeviceToken(trust, raw, cardNumber, owner, now);
  }
  const key = findKey(trust, raw.slice(2, 6), now);
  await verify(key, raw.slice(end), join(utf8.encode("yimatong.code.v1\0"), raw.slice(0, end), owner));
  refuseUnless(kind === "1D", "wrong_class");
  const issuedAt = numberAt(raw, 6);
  checkAge(issuedAt, now);
  return { kind: "D", cardNumber, issuedAt, epoch: raw[10] * 256 + raw[11], nonce: await nonceOf(raw) };
}

async function readDeviceToken(trust, raw, cardNumber, owner, now) {
  const body = raw.slice(2, 48);
  const certifying = findKey(trust, body.slice(0, 4), now);
  await verify(certifying, raw.slice(48, 112), join(utf8.encode("yimatong.device.v1\0"), body, owner));
  const device = await importKey(body.slice(14)).catch(() => null);
  refuseUnless(device, "forged");
  await verify(device, raw.slice(128), join(utf8.encode("yimatong.code.v2\0"), raw.slice(0, 128), owner));
  const issuedAt = numberAt(raw, 112);
  const isWithin = numberAt(body, 4) - SKEW_SECONDS <= issuedAt && issuedAt < numberAt(body, 8);
  refuseUnless(isWithin, "expired");
  checkAge(issuedAt, now);
  return { kind: "D", cardNumber, issuedAt, epoch: body[12] * 256 + body[13], nonce: await nonceOf(raw) };
}

// A device picks its nonces itself: they count only together with its key.
async function nonceOf(raw) {
  return toHex(raw[0] === 1 ? raw.slice(12, 24) : (await sha256(join(raw.slice(16, 48), raw.slice(116, 128)))).slice(0, 16));
}

function findKey(trust, kid, now) {
  const found = trust.keys.get(toHex(kid));
  refuseUnless(found && (found.expiresAt === undefined || now < found.expiresAt), "forged");
  return found.key;
}

function checkAge(issuedAt, now) {
  refuseUnless(issuedAt - SKEW_SECONDS <= now && now <= issuedAt + LIFE_SECONDS + SKEW_SECONDS, "expired");
}

async function checkInForce(trust, reading) {
  const short = toHex((await sha256(utf8.encode(reading.cardNumber))).slice(0, 8));
  const isOld = reading.epoch !== undefined && reading.epoch < (trust.raised.get(short) ?? 0);
  refuseUnless(!trust.dead.has(short) && !isOld, "revoked");
}

async function readRevocations(text, keys, now) {
  const parts = text.split(".");
  const [head, body, signature] = parts;
  const header = JSON.parse(new TextDecoder().decode(decode(head)));
  const { key, expiresAt } = keys.get(header.kid);
  const isOurs = header.alg === "EdDSA" && header.typ === "code-revocations+jwt" && parts.length === 3;
  if (!isOurs || (expiresAt !== undefined && now >= expiresAt)) {
    throw new Error("another kind of text");
  }
  await verify(key, decode(signature), utf8.encode(`${head}.${body}`));
  return JSON.parse(new TextDecoder().decode(decode(body)));
}

/**
 * What this terminal accepted without the network, in IndexedDB: each entry is signed with the terminal's own private
 * CryptoKey (Ed25519, or ECDSA P-256) and tied to the one before it. Open it with `Queue.open`.
 */
export class Queue {
  constructor(database, terminal, keys) {
    this.database = database;
    this.terminal = terminal;
    this.keys = keys;
    this.entries = [];
  }

  /** `keys`: the terminal's CryptoKeyPair. Throws QueueBroken when an entry was changed or is missing. */
  static async open(name, terminal, keys) {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("entries", { keyPath: "sequence" });
    const queue = new Queue(await finished(opening), terminal, keys);
    for (const entry of await finished(queue.store("readonly").getAll())) {
      await queue.checkNext(entry);
    }
    return queue;
  }

  /** Read a code and write it down before it counts; refused as redeemed when this terminal accepted it before. */
  async accept(trust, text, now) {
    const reading = await readCode(trust, text, now);
    const last = this.entries.at(-1);
    const entry = {
      sequence: last ? last.sequence + 1 : 1,
      previous: last ? await this.digest(last) : FIRST_PREVIOUS,
      scanned_at: now,
      code: text,
    };
    const signature = await crypto.subtle.sign(this.algorithm(), this.keys.privateKey, this.signedText(entry));
    entry.signature = encode(new Uint8Array(signature));
    for (const earlier of reading.nonce ? this.entries : []) {
      const token = earlier.code.split(":")[2];
      refuseUnless(!token || (await nonceOf(decode(token))) !== reading.nonce, "redeemed");
    }
    // `add` fails when another window has written this number meanwhile: then nothing was accepted.
    await finished(this.store("readwrite").add(entry));
    this.entries.push(entry);
    return reading;
  }

  /** Forget what the platform has taken in (its `next_sequence`), but for the last one, which ties the next. */
  async forgetBefore(sequence) {
    await finished(this.store("readwrite").delete(IDBKeyRange.upperBound(sequence - 1, true)));
    this.entries = this.entries.filter((entry) => entry.sequence >= sequence - 1);
  }

  store(mode) {
    return this.database.transaction("entries", mode).objectStore("entries");
  }

  async checkNext(entry) {
    const last = this.entries.at(-1);
    const follows = !last || (entry.sequence === last.sequence + 1 && entry.previous === (await this.digest(last)));
    const signed = this.signedText(entry);
    if (!follows || !(await crypto.subtle.verify(this.algorithm(), this.keys.publicKey, decode(entry.signature), signed))) {
      throw new QueueBroken(`entry ${entry.sequence} was changed, or one before it is missing`);
    }
    this.entries.push(entry);
  }

  async digest(entry) {
    return toHex(await sha256(this.signedText(entry)));
  }

  signedText({ sequence, previous, scanned_at, code }) {
    return utf8.encode("yimatong.offline-scan.v1\0" + [this.terminal, sequence, previous, scanned_at, code].join("\n"));
  }

  algorithm() {
    const { name } = this.keys.privateKey.algorithm;
    return name === "ECDSA" ? { name, hash: "SHA-256" } : { name };
  }
}

/** Bring key set and revocation list from the platform; when it does not answer, what was kept before. */
export async function refreshTrust(now) {
  try {
    const [keys, revocations] = await Promise.all([KEYS_PATH, REVOCATIONS_PATH].map(get));
    const trust = await loadTrust(JSON.parse(keys), revocations, now);
    localStorage.setItem("yimatong.trust", JSON.stringify({ keys, revocations }));
    return trust;
  } catch {
    const kept = JSON.parse(localStorage.getItem("yimatong.trust") ?? "{}");
    return loadTrust(JSON.parse(kept.keys ?? "{}"), kept.revocations ?? "", now);
  }
}

async function get(path) {
  const reply = await fetch(path);
  if (!reply.ok) {
    throw new Error(`${path} answered ${reply.status}`);
  }
  return reply.text();
}

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function refuseUnless(holds, reason) {
  if (!holds) {
    throw new Refused(`health_card.code_${reason}`);
  }
}

async function verify(key, signature, signed) {
  refuseUnless(await crypto.subtle.verify("Ed25519", key, signature, signed), "forged");
}

function importKey(raw) {
  return crypto.subtle.importKey("raw", raw, "Ed25519", true, ["verify"]);
}

async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function decode(text) {
  refuseUnless(/^[A-Za-z0-9_-]*$/.test(text) && text.length % 4 !== 1, "malformed");
  const raw = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  // One token, one text: the spare bits of the last character must be zero.
  refuseUnless(encode(raw) === text, "forged");
  return raw;
}

function encode(raw) {
  const text = Array.from(raw, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function join(...parts) {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function numberAt(raw, at) {
  return new DataView(raw.buffer, raw.byteOffset).getUint32(at);
}

function chop(raw, size) {
  return Array.from({ length: Math.floor(raw.length / size) }, (_, row) => raw.slice(row * size, (row + 1) * size));
}

function toHex(raw) {
  return Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
