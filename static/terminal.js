// This browser as a terminal: its key never leaves it, and each scan carries a proof made with it (RFC 9449).

const STORE = "terminal";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };

function open() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open("yimatong", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function inStore(mode, act) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const asked = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function base64url(bytes) {
  const text = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function encode(value) {
  return base64url(new TextEncoder().encode(JSON.stringify(value)));
}

async function hash(text) {
  return base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

// A fresh key pair whose private half cannot be exported, not even by this script.
export async function makeKeys() {
  const keys = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", keys.publicKey);
  return { privateKey: keys.privateKey, publicJwk: { kty, crv, alg: "ES256", x, y } };
}

// What this browser is enrolled as: { hospital, terminal, privateKey, publicJwk }, or undefined.
export function readEnrolment() {
  return inStore("readonly", (store) => store.get("enrolment"));
}

export function keepEnrolment(enrolment) {
  return inStore("readwrite", (store) => store.put(enrolment, "enrolment"));
}

// A proof for one request; `session` and `code` tie it to the sign-in and to the scanned code.
export async function prove({ privateKey, publicJwk }, { method, address, session, code }) {
  const { kty, crv, x, y } = publicJwk;
  const claims = {
    htm: method,
    htu: address,
    iat: Math.floor(Date.now() / 1000),
    jti: base64url(crypto.getRandomValues(new Uint8Array(16))),
  };
  if (session !== undefined) {
    claims.ath = await hash(session);
  }
  if (code !== undefined) {
    claims.code_hash = await hash(code);
  }
  const signing = `${encode({ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } })}.${encode(claims)}`;
  const bytes = new TextEncoder().encode(signing);
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, bytes);
  return `${signing}.${base64url(signature)}`;
}
