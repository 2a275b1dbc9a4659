"""Configuration: read once from the environment into one frozen object; nothing else reads the environment."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

Profile = Literal["production", "demo", "test"]
StorageHome = Literal["folder", "bucket"]


class ConfigurationError(Exception):
    """The environment does not say what the process needs; the text names the variable and what it must be."""


@dataclass(frozen=True)
class MessageTemplate:
    """A WeChat subscribe message template. ``data``: keyword of the template to the word that fills it."""

    id: str
    data: Mapping[str, str]


@dataclass(frozen=True)
class RealNameAccess:
    """How the real-name source is reached: ``key`` is an Ed25519 private key (PKCS#8 PEM) that it knows us by."""

    base_url: str
    client_id: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class BucketAccess:
    """How a bucket of an S3-compatible object store is reached."""

    url: str
    bucket: str
    region: str
    key_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Config:
    """Everything the process was told at its start. Secrets are kept out of ``repr``."""

    profile: Profile
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    base_url: str
    storage_dir: Path
    audit_copy_dir: Path
    issuer_code: str
    master_keys: Mapping[str, bytes] = field(repr=False)
    index_key: bytes = field(repr=False)
    metrics_token: str = field(repr=False)
    wechat_base_url: str
    wechat_app_id: str
    wechat_app_secret: str = field(repr=False)
    wechatpay_base_url: str
    wechatpay_merchant_id: str
    wechatpay_merchant_serial: str
    wechatpay_merchant_key: str = field(repr=False)
    wechatpay_public_key: str = field(repr=False)
    wechatpay_public_key_id: str
    wechatpay_apiv3_key: str = field(repr=False)
    issuer_name: str = "一码通"
    mllp_host: str = "127.0.0.1"
    dicom_host: str = "127.0.0.1"
    mllp_certificate: Path | None = None
    mllp_key: Path | None = None
    metrics_dir: Path | None = None
    ohif_dir: Path | None = None
    wechat_templates: Mapping[str, MessageTemplate] = field(default_factory=dict)
    realname: RealNameAccess | None = None
    family_limit: int = 5
    visit_days: int = 1
    mllp_port_connections: int = 4000
    bucket: BucketAccess | None = None
    storage_home: StorageHome = "folder"
    rendered_cache_mb: int = 1024
    fetched_cache_mb: int = 10_240
    accel_dir: Path | None = None

    @property
    def current_master_key_id(self) -> str:
        """The key that wraps new data keys: the first one named in MASTER_KEYS."""
        return next(iter(self.master_keys))

    @property
    def is_secure_origin(self) -> bool:
        """Whether people reach the platform over https (then cookies are marked Secure)."""
        return self.base_url.startswith("https://")


def read_config(environment: Mapping[str, str]) -> Config:
    """Read and check the whole configuration.

    :param environment: variable name to text, normally ``os.environ``.
    :raises ConfigurationError: a variable is missing or malformed; nothing has a fallback that production could use.
    """
    reader = _Reader(environment)
    profile = reader.choice("YIMATONG_PROFILE", get_args(Profile))
    config = Config(
        profile=profile,
        database_url=reader.database_url("DATABASE_URL"),
        redis_url=reader.matching("REDIS_URL", r"(rediss?|unix)://\S+"),
        base_url=reader.base_url("BASE_URL", profile),
        storage_dir=(storage_dir := Path(reader.text("STORAGE_DIR")).absolute()),
        audit_copy_dir=_optional_path(environment, "AUDIT_COPY_DIR") or storage_dir.with_name("audit-log"),
        issuer_code=reader.matching("ISSUER_CODE", r"[0-9A-Za-z]{4,32}"),
        master_keys=reader.keys("MASTER_KEYS"),
        index_key=reader.key("INDEX_KEY"),
        metrics_token=reader.matching("METRICS_TOKEN", r"[!-~]{32,}"),
        wechat_base_url=reader.service("WECHAT_BASE_URL", "https://api.weixin.qq.com", profile),
        wechatpay_base_url=reader.service("WECHATPAY_BASE_URL", "https://api.mch.weixin.qq.com", profile),
        wechatpay_merchant_key=reader.pem("WECHATPAY_MERCHANT_KEY", "PRIVATE KEY"),
        wechatpay_public_key=reader.pem("WECHATPAY_PUBLIC_KEY", "PUBLIC KEY"),
        wechatpay_apiv3_key=reader.matching("WECHATPAY_APIV3_KEY", r"[0-9A-Za-z]{32}"),
        issuer_name=environment.get("ISSUER_NAME") or "一码通",
        mllp_host=environment.get("MLLP_HOST") or "127.0.0.1",
        dicom_host=environment.get("DICOM_HOST") or "127.0.0.1",
        mllp_certificate=_optional_path(environment, "MLLP_CERTIFICATE"),
        mllp_key=_optional_path(environment, "MLLP_KEY"),
        metrics_dir=_optional_path(environment, "METRICS_DIR"),
        ohif_dir=_optional_path(environment, "OHIF_DIR"),
        wechat_templates=reader.templates("WECHAT_TEMPLATES"),
        realname=reader.realname(profile),
        family_limit=reader.number("FAMILY_LIMIT", default=5, most=999),
        visit_days=reader.number("VISIT_DAYS", default=1, most=7),
        mllp_port_connections=reader.number("MLLP_PORT_CONNECTIONS", default=4000, most=20_000),
        bucket=reader.bucket(profile),
        storage_home=reader.storage_home(),
        rendered_cache_mb=reader.number("RENDERED_CACHE_MB", default=1024, most=999_999),
        fetched_cache_mb=reader.number("FETCHED_CACHE_MB", default=10_240, most=999_999),
        accel_dir=_optional_path(environment, "ACCEL_DIR"),
        **{name: reader.text(name.upper()) for name in _PLAIN_TEXTS},
    )
    assert {f.name for f in fields(config)} >= _PLAIN_TEXTS
    return config


def _optional_path(environment: Mapping[str, str], name: str) -> Path | None:
    return Path(environment[name]) if environment.get(name) else None


_PLAIN_TEXTS = {
    "wechat_app_id",
    "wechat_app_secret",
    "wechatpay_merchant_id",
    "wechatpay_merchant_serial",
    "wechatpay_public_key_id",
}

# What the keywords of a message template can be filled with.
_MESSAGE_WORDS = ("title", "hospital", "time")


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str:
        value = self._environment.get(name, "")
        if not value:
            raise ConfigurationError(f"{name} is not set")
        return value

    def matching(self, name: str, pattern: str) -> str:
        value = self.text(name)
        if not re.fullmatch(pattern, value):
            raise ConfigurationError(f"{name} must match {pattern}")
        return value

    def number(self, name: str, *, default: int, most: int) -> int:
        """Optional: a whole number from 1 to ``most``."""
        value = self._environment.get(name) or str(default)
        if not re.fullmatch(r"[1-9][0-9]{0,5}", value) or int(value) > most:
            raise ConfigurationError(f"{name} must be a whole number from 1 to {most}")
        return int(value)

    def pem(self, name: str, label: str) -> str:
        value = self.text(name).strip()
        if not value.startswith(f"-----BEGIN {label}-----") or not value.endswith(f"-----END {label}-----"):
            raise ConfigurationError(f"{name} must be a PEM text: -----BEGIN {label}----- ...")
        return value

    def choice(self, name: str, allowed: tuple[Profile, ...]) -> Profile:
        value = self.text(name)
        for candidate in allowed:
            if candidate == value:
                return candidate
        raise ConfigurationError(f"{name} must be one of {', '.join(allowed)}")

    def database_url(self, name: str) -> str:
        value = self.text(name)
        scheme, _, rest = value.partition("://")
        if not rest or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
            raise ConfigurationError(f"{name} must be a PostgreSQL address: postgresql://user:password@host/name")
        return f"postgresql+psycopg://{rest}"

    def base_url(self, name: str, profile: Profile) -> str:
        return self._address(name, self.text(name), profile)

    def service(self, name: str, default: str, profile: Profile) -> str:
        return self._address(name, self._environment.get(name) or default, profile)

    def _address(self, name: str, value: str, profile: Profile) -> str:
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/") or parts.query:
            raise ConfigurationError(f"{name} must be an address without a path, such as https://host")
        if profile == "production" and parts.scheme != "https":
            raise ConfigurationError(f"{name} must be https in production")
        return f"{parts.scheme}://{parts.netloc}"

    def templates(self, name: str) -> dict[str, MessageTemplate]:
        """Optional: a JSON object of ``{"template_id": ..., "data": {keyword: word}}`` by kind of message."""
        try:
            told = json.loads(self._environment.get(name) or "{}")
            templates = {kind: MessageTemplate(each["template_id"], dict(each["data"])) for kind, each in told.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            templates = {"": MessageTemplate("", {})}
        for each in templates.values():
            is_known = all(word in _MESSAGE_WORDS for word in each.data.values())
            if not isinstance(each.id, str) or not each.id or not is_known:
                raise ConfigurationError(
                    f'{name} must be JSON: {{"kind": {{"template_id": "...", "data": {{"thing1": "title"}}}}}}'
                )
        return templates

    def realname(self, profile: Profile) -> RealNameAccess | None:
        """Optional, but then whole: who sets an address has to say how to sign."""
        if not self._environment.get("REALNAME_BASE_URL"):
            return None
        return RealNameAccess(
            base_url=self.base_url("REALNAME_BASE_URL", profile),
            client_id=self.matching("REALNAME_CLIENT_ID", r"[!-~]{1,128}"),
            key=self.pem("REALNAME_KEY", "PRIVATE KEY"),
        )

    def bucket(self, profile: Profile) -> BucketAccess | None:
        """Optional, but then whole."""
        if not self._environment.get("BUCKET_URL"):
            return None
        return BucketAccess(
            url=self.base_url("BUCKET_URL", profile),
            bucket=self.matching("BUCKET_NAME", r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
            region=self._environment.get("BUCKET_REGION") or "us-east-1",
            key_id=self.matching("BUCKET_KEY_ID", r"[!-~]{3,128}"),
            secret=self.matching("BUCKET_SECRET", r"[!-~]{8,256}"),
        )

    def storage_home(self) -> StorageHome:
        """Where new files go: into the bucket when there is one, unless said otherwise."""
        has_bucket = bool(self._environment.get("BUCKET_URL"))
        said = self._environment.get("STORAGE_HOME") or ("bucket" if has_bucket else "folder")
        if said == "folder":
            return "folder"
        if said == "bucket" and has_bucket:
            return "bucket"
        raise ConfigurationError("STORAGE_HOME must be folder or, with a BUCKET_URL, bucket")

    def key(self, name: str) -> bytes:
        return _decode_key(name, self.text(name))

    def keys(self, name: str) -> dict[str, bytes]:
        pairs = [part.strip().partition(":") for part in self.text(name).split(",")]
        keys = {key_id: _decode_key(name, encoded) for key_id, _, encoded in pairs}
        if len(keys) != len(pairs) or not all(re.fullmatch(r"[0-9a-z-]{1,32}", key_id) for key_id in keys):
            raise ConfigurationError(f"{name} must be kid:base64[,kid:base64...] with distinct key ids")
        return keys


def _decode_key(name: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:  # Not base64, or not even ASCII.
        key = b""
    if len(key) != 32:
        raise ConfigurationError(f"{name} must hold 32 random bytes in base64")
    return key
