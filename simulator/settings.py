"""What the simulator is told at its start: the same secrets as the platform, plus the ones only WeChat has."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_REQUIRED = (
    "WECHAT_APP_ID",
    "WECHAT_APP_SECRET",
    "WECHATPAY_MERCHANT_ID",
    "WECHATPAY_MERCHANT_SERIAL",
    "WECHATPAY_MERCHANT_KEY",
    "WECHATPAY_PUBLIC_KEY_ID",
    "WECHATPAY_APIV3_KEY",
    "SIMULATOR_WECHATPAY_PRIVATE_KEY",
    "SIMULATOR_TOKEN",
)


class SettingsError(Exception):
    """The environment does not say what the simulator needs; the text names every variable concerned."""


@dataclass(frozen=True)
class Settings:
    """Secrets are kept out of ``repr``. ``retry_scale`` shortens or lengthens every delay of the notifications."""

    app_id: str
    app_secret: str = field(repr=False)
    merchant_id: str
    merchant_serial: str
    merchant_key: RSAPublicKey = field(repr=False)
    platform_key: RSAPrivateKey = field(repr=False)
    platform_key_id: str
    apiv3_key: bytes = field(repr=False)
    token: str = field(repr=False)
    retry_scale: float
    logins_per_minute: int
    realname_client_id: str
    realname_key: Ed25519PublicKey | None = field(repr=False)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check every variable.

    Optional: ``SIMULATOR_RETRY_SCALE`` (default 1.0: WeChat's own 15 s, 15 s, 30 s, 3 min ...) and
    ``SIMULATOR_LOGINS_PER_MINUTE`` (default 100 for one user, then 45011); ``REALNAME_CLIENT_ID`` and ``REALNAME_KEY``,
    without which the real-name source knows nobody.

    :raises SettingsError: a variable is missing or malformed.
    """
    missing = [name for name in _REQUIRED if not environment.get(name)]
    if missing:
        raise SettingsError(f"not set: {', '.join(missing)}")
    apiv3_key = environment["WECHATPAY_APIV3_KEY"].encode()
    if len(apiv3_key) != 32:
        raise SettingsError("WECHATPAY_APIV3_KEY must be 32 characters")
    if not environment["WECHATPAY_PUBLIC_KEY_ID"].startswith("PUB_KEY_ID_"):
        raise SettingsError("WECHATPAY_PUBLIC_KEY_ID must start with PUB_KEY_ID_")
    return Settings(
        app_id=environment["WECHAT_APP_ID"],
        app_secret=environment["WECHAT_APP_SECRET"],
        merchant_id=environment["WECHATPAY_MERCHANT_ID"],
        merchant_serial=environment["WECHATPAY_MERCHANT_SERIAL"],
        merchant_key=_private_key(environment, "WECHATPAY_MERCHANT_KEY").public_key(),
        platform_key=_private_key(environment, "SIMULATOR_WECHATPAY_PRIVATE_KEY"),
        platform_key_id=environment["WECHATPAY_PUBLIC_KEY_ID"],
        apiv3_key=apiv3_key,
        token=environment["SIMULATOR_TOKEN"],
        retry_scale=_positive(environment, "SIMULATOR_RETRY_SCALE", 1.0),
        logins_per_minute=int(_positive(environment, "SIMULATOR_LOGINS_PER_MINUTE", 100)),
        realname_client_id=environment.get("REALNAME_CLIENT_ID", ""),
        realname_key=_realname_key(environment),
    )


def _private_key(environment: Mapping[str, str], name: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(environment[name].encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsError(f"{name} must be an RSA private key, PKCS#8 PEM") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < 2048:
        raise SettingsError(f"{name} must be an RSA key of 2048 bits or more")
    return key


def _realname_key(environment: Mapping[str, str]) -> Ed25519PublicKey | None:
    text = environment.get("REALNAME_KEY")
    if not text:
        return None
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError("REALNAME_KEY must be an Ed25519 private key, PKCS#8 PEM")
    return key.public_key()


def _positive(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1_000_000:
        raise SettingsError(f"{name} must be a number above 0")
    return value
