"""The secrets of a local installation: random, private, kept."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from deploy.installation import make_secrets, read_or_make_secrets


def test_they_are_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "secrets.json"
    first = read_or_make_secrets(path)
    assert read_or_make_secrets(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_newer_versions_secrets_are_added(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "secrets.json"
    first = read_or_make_secrets(path)
    older = {name: value for name, value in first.items() if name != "SIMULATOR_TOKEN"}
    path.write_text(json.dumps(older))
    second = read_or_make_secrets(path)
    assert second == {**older, "SIMULATOR_TOKEN": second["SIMULATOR_TOKEN"]}


def test_every_installation_has_its_own() -> None:
    assert not set(make_secrets().values()) & set(make_secrets().values())


def test_wechat_pays_public_key_belongs_to_the_simulators_private_key() -> None:
    made = make_secrets()
    private = load_pem_private_key(made["SIMULATOR_WECHATPAY_PRIVATE_KEY"].encode(), None)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert public.decode() == made["WECHATPAY_PUBLIC_KEY"]
