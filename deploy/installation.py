"""The secrets of one local installation: random, made at its first start, in one file that only its owner reads."""

import base64
import json
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

# What only WeChat knows: the platform's own processes never get to see it.
OUTSIDE_WORLD_ONLY = ("SIMULATOR_WECHATPAY_PRIVATE_KEY", "SIMULATOR_TOKEN")


def read_or_make_secrets(path: Path) -> dict[str, str]:
    """The environment variables that are secrets or identify this installation.

    :param path: a JSON file, mode 0600; its folder is made (0700) when missing. Variables that a newer version needs
        are added to an older file; what stands there is never replaced.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    complete = {**make_secrets(), **kept}
    if complete != kept:
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(complete, stream, indent=1)
            stream.flush()
            os.fsync(descriptor)  # Losing the master key would make every sealed column unreadable.
        fresh.replace(path)
    return complete


def make_secrets() -> dict[str, str]:
    """New secrets in the shapes of the real ones (WeChat: app id ``wx`` + 16 hex digits, merchant id 10 digits ...)."""
    merchant, wechatpay = _new_rsa_key(), _new_rsa_key()
    return {
        "INSTALLATION": secrets.token_hex(16),
        "MASTER_KEYS": f"m1:{_new_key()}",
        "INDEX_KEY": _new_key(),
        "METRICS_TOKEN": secrets.token_urlsafe(32),
        "ISSUER_CODE": f"DEMO{secrets.randbelow(10**8):08d}",
        "WECHAT_APP_ID": f"wx{secrets.token_hex(8)}",
        "WECHAT_APP_SECRET": secrets.token_hex(16),
        "REALNAME_CLIENT_ID": f"demo-{secrets.token_hex(4)}",
        "REALNAME_KEY": _private_pem(Ed25519PrivateKey.generate()),
        "WECHATPAY_MERCHANT_ID": f"19{secrets.randbelow(10**8):08d}",
        "WECHATPAY_MERCHANT_SERIAL": secrets.token_hex(20).upper(),
        "WECHATPAY_MERCHANT_KEY": _private_pem(merchant),
        "WECHATPAY_PUBLIC_KEY": _public_pem(wechatpay),
        "WECHATPAY_PUBLIC_KEY_ID": f"PUB_KEY_ID_01{secrets.randbelow(10**20):020d}",
        "WECHATPAY_APIV3_KEY": secrets.token_hex(16),
        "SIMULATOR_WECHATPAY_PRIVATE_KEY": _private_pem(wechatpay),
        "SIMULATOR_TOKEN": secrets.token_urlsafe(32),
    }


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _new_rsa_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def _private_pem(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public_pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
