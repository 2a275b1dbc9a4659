"""The three strings that WeChat Pay v3 signs, and the sealed resource of its notifications (AES-256-GCM)."""

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

SCHEME = "WECHATPAY2-SHA256-RSA2048"
_NONCE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def request_message(method: str, path_and_query: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """What a merchant signs for a request: five lines, each ended by a newline; the body exactly as sent."""
    return f"{method}\n{path_and_query}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def reply_message(timestamp: str, nonce: str, body: bytes) -> bytes:
    """What WeChat Pay signs for a reply or a notification: three lines."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def payment_message(app_id: str, timestamp: str, nonce: str, prepay_id: str) -> bytes:
    """What a merchant signs for ``wx.requestPayment``: four lines; ``prepay_id`` is the bare id (``wx...``)."""
    return f"{app_id}\n{timestamp}\n{nonce}\nprepay_id={prepay_id}\n".encode()


def sign(key: RSAPrivateKey, message: bytes) -> str:
    """The RSA PKCS#1 v1.5 SHA-256 signature in base64."""
    return base64.b64encode(key.sign(message, PKCS1v15(), SHA256())).decode()


def is_signed(key: RSAPublicKey, message: bytes, signature: str) -> bool:
    """Whether the base64 signature is genuine; malformed base64 is simply not."""
    try:
        key.verify(base64.b64decode(signature, validate=True), message, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def seal_resource(apiv3_key: bytes, plaintext: bytes, associated_data: str) -> dict[str, str]:
    """The encrypted part of a notification: AEAD_AES_256_GCM, a 12-character nonce, the tag at the end of the text."""
    nonce = new_nonce(12)
    sealed = AESGCM(apiv3_key).encrypt(nonce.encode(), plaintext, associated_data.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "associated_data": associated_data,
        "nonce": nonce,
    }


def new_nonce(length: int = 32) -> str:
    """Random letters and digits."""
    return "".join(secrets.choice(_NONCE_ALPHABET) for _ in range(length))
