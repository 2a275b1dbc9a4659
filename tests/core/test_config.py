"""Configuration: whatever is missing or malformed stops the process, and is named."""

import base64
import secrets
from dataclasses import FrozenInstanceError

import pytest

from core.config import Config, ConfigurationError, read_config

NEEDED = [
    "YIMATONG_PROFILE",
    "DATABASE_URL",
    "REDIS_URL",
    "BASE_URL",
    "STORAGE_DIR",
    "ISSUER_CODE",
    "MASTER_KEYS",
    "INDEX_KEY",
    "METRICS_TOKEN",
    "WECHAT_APP_ID",
    "WECHAT_APP_SECRET",
    "WECHATPAY_MERCHANT_ID",
    "WECHATPAY_MERCHANT_SERIAL",
    "WECHATPAY_MERCHANT_KEY",
    "WECHATPAY_PUBLIC_KEY",
    "WECHATPAY_PUBLIC_KEY_ID",
    "WECHATPAY_APIV3_KEY",
]
GOOD_KEY = base64.b64encode(bytes(32)).decode()

SECRET = ["REDIS_URL", "MASTER_KEYS", "INDEX_KEY", "METRICS_TOKEN", "WECHATPAY_APIV3_KEY", "WECHATPAY_MERCHANT_KEY"]


def production(environment: dict[str, str], **changes: str) -> dict[str, str]:
    return environment | {"YIMATONG_PROFILE": "production", "BASE_URL": "https://card.example"} | changes


def test_these_are_all_that_an_installation_is_told(environment: dict[str, str]) -> None:
    assert {name for name in environment if not name.startswith("SIMULATOR_")} == set(NEEDED)


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_stops_production_with_its_name(
    environment: dict[str, str], name: str, value: str | None
) -> None:
    told = production(environment)
    del told[name]
    if value is not None:
        told[name] = value
    with pytest.raises(ConfigurationError, match=f"^{name} "):
        read_config(told)


@pytest.mark.parametrize("profile", ["demo", "test"])
@pytest.mark.parametrize("name", ["MASTER_KEYS", "INDEX_KEY", "METRICS_TOKEN", "WECHAT_APP_SECRET"])
def test_no_profile_has_a_secret_of_its_own(environment: dict[str, str], profile: str, name: str) -> None:
    told = environment | {"YIMATONG_PROFILE": profile}
    del told[name]
    with pytest.raises(ConfigurationError, match=f"^{name} is not set"):
        read_config(told)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("YIMATONG_PROFILE", "prod"),
        ("DATABASE_URL", "sqlite:///x.db"),
        ("DATABASE_URL", "127.0.0.1:5432"),
        ("DATABASE_URL", "postgresql://"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("REDIS_URL", "http://127.0.0.1:6379"),
        ("BASE_URL", "card.example"),
        ("BASE_URL", "ftp://card.example"),
        ("BASE_URL", "https://card.example/path"),
        ("BASE_URL", "https://card.example?x=1"),
        ("BASE_URL", "https://["),
        ("ISSUER_CODE", "a:b"),
        ("ISSUER_CODE", "abc"),
        ("ISSUER_CODE", "山东省淄博市"),
        ("MASTER_KEYS", GOOD_KEY),
        ("MASTER_KEYS", f"m1:{GOOD_KEY[:-8]}"),
        ("MASTER_KEYS", f"m1:{GOOD_KEY},m1:{GOOD_KEY}"),
        ("MASTER_KEYS", f"M_1:{GOOD_KEY}"),
        ("MASTER_KEYS", f"m1:{GOOD_KEY},"),
        ("MASTER_KEYS", "m1:密钥"),
        ("INDEX_KEY", "not base64 at all"),
        ("INDEX_KEY", base64.b64encode(bytes(31)).decode()),
        ("INDEX_KEY", "密钥"),
        ("METRICS_TOKEN", "short"),
        ("METRICS_TOKEN", "with spaces " * 4),
        ("WECHAT_BASE_URL", "api.weixin.qq.com"),
        ("WECHATPAY_BASE_URL", "https://["),
        ("WECHATPAY_MERCHANT_KEY", "MIIEvQIBADANBg"),
        ("WECHATPAY_PUBLIC_KEY", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"),
        ("WECHATPAY_APIV3_KEY", "a" * 31),
        ("WECHAT_TEMPLATES", "identified"),
        ("WECHAT_TEMPLATES", "[]"),
        ("WECHAT_TEMPLATES", '{"identified": "id"}'),
        ("WECHAT_TEMPLATES", '{"identified": {"template_id": "", "data": {}}}'),
        ("WECHAT_TEMPLATES", '{"identified": {"template_id": "id", "data": {"thing1": "diagnosis"}}}'),
        ("WECHAT_TEMPLATES", '{"identified": {"template_id": "id", "data": {"thing1": []}}}'),
    ],
)
def test_a_malformed_variable_stops_with_its_name_and_without_its_value(
    environment: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} ") as stopped:
        read_config(environment | {name: value})
    assert name not in SECRET or value not in str(stopped.value)


@pytest.mark.parametrize("name", ["BASE_URL", "WECHAT_BASE_URL", "WECHATPAY_BASE_URL"])
def test_production_refuses_plain_http(environment: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be https"):
        read_config(production(environment, **{name: "http://card.example"}))


def test_production_talks_to_the_real_wechat_unless_told_otherwise(environment: dict[str, str]) -> None:
    config = read_config(production(environment))
    assert config.wechat_base_url == "https://api.weixin.qq.com"
    assert config.wechatpay_base_url == "https://api.mch.weixin.qq.com"
    assert config.is_secure_origin


REALNAME = {
    "REALNAME_BASE_URL": "https://realname.example",
    "REALNAME_CLIENT_ID": "city",
    "REALNAME_KEY": "-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----",
}


def test_a_real_name_source_is_named_whole_or_not_at_all(environment: dict[str, str]) -> None:
    assert read_config(environment).realname is None
    access = read_config(environment | REALNAME).realname
    assert access is not None
    assert (access.base_url, access.client_id) == ("https://realname.example", "city")
    for name in ("REALNAME_CLIENT_ID", "REALNAME_KEY"):
        with pytest.raises(ConfigurationError, match=f"^{name} is not set"):
            read_config(environment | REALNAME | {name: ""})
    with pytest.raises(ConfigurationError, match=r"^REALNAME_BASE_URL must be https"):
        read_config(production(environment, **REALNAME) | {"REALNAME_BASE_URL": "http://realname.example"})


def test_message_templates_are_read_by_kind(environment: dict[str, str]) -> None:
    assert read_config(environment).wechat_templates == {}
    told = '{"*": {"template_id": "id", "data": {"thing1": "title", "thing2": "hospital", "time3": "time"}}}'
    template = read_config(environment | {"WECHAT_TEMPLATES": told}).wechat_templates["*"]
    assert (template.id, template.data["time3"]) == ("id", "time")


def test_the_first_master_key_is_the_current_one(environment: dict[str, str]) -> None:
    older = base64.b64encode(secrets.token_bytes(32)).decode()
    config = read_config(environment | {"MASTER_KEYS": f"m2:{GOOD_KEY}, m1:{older}"})
    assert config.current_master_key_id == "m2"
    assert config.master_keys == {"m2": bytes(32), "m1": base64.b64decode(older)}


def test_neither_repr_nor_a_later_change_gives_a_secret_away(config: Config, environment: dict[str, str]) -> None:
    shown = repr(config)
    assert [name for name in SECRET if environment[name] in shown] == []
    assert "PRIVATE KEY" not in shown
    assert repr(config.index_key) not in shown
    with pytest.raises(FrozenInstanceError):
        config.profile = "production"  # type: ignore[misc]  # that is what must fail
