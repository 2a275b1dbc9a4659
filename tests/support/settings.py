"""A configuration for tests: everything random, nothing shared with any installation."""

import base64
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def random_environment(database_url: str, redis_url: str, folder: Path) -> dict[str, str]:
    """The environment variables of a platform of its own, the simulator's included."""
    merchant, wechatpay = _rsa_pair(), _rsa_pair()
    return {
        "YIMATONG_PROFILE": "test",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "BASE_URL": "http://127.0.0.1:8000",
        "STORAGE_DIR": str(folder / "storage"),
        "ISSUER_CODE": "3703TEST",
        "MASTER_KEYS": f"m1:{_key()}",
        "INDEX_KEY": _key(),
        "METRICS_TOKEN": secrets.token_urlsafe(32),
        "WECHAT_APP_ID": f"wx{secrets.token_hex(8)}",
        "WECHAT_APP_SECRET": secrets.token_hex(16),
        "WECHATPAY_MERCHANT_ID": "1900000001",
        "WECHATPAY_MERCHANT_SERIAL": secrets.token_hex(20).upper(),
        "WECHATPAY_MERCHANT_KEY": merchant[0],
        "WECHATPAY_PUBLIC_KEY": wechatpay[1],
        "WECHATPAY_PUBLIC_KEY_ID": f"PUB_KEY_ID_{secrets.token_hex(16)}",
        "WECHATPAY_APIV3_KEY": secrets.token_hex(16),
        "SIMULATOR_WECHATPAY_PRIVATE_KEY": wechatpay[0],
        "SIMULATOR_TOKEN": secrets.token_urlsafe(32),
    }


def with_simulator(environment: Mapping[str, str], base_url: str) -> dict[str, str]:
    """The same, with WeChat and WeChat Pay at the simulator's address."""
    return {**environment, "WECHAT_BASE_URL": base_url, "WECHATPAY_BASE_URL": base_url}


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _rsa_pair() -> tuple[str, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), public.decode()
