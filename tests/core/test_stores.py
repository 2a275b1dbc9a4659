"""Where sealed files lie: a bucket beside the folder, moving between them, sweeping, and what is missing."""

import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from core import storage
from core.config import BucketAccess, Config, ConfigurationError, read_config
from core.storage import CHUNK_BYTES, Staged, Staging, StorageSilent, stores
from core.storage import bucket as buckets
from core.storage.cache import Cache
from tests.support import dicom
from tests.support.buckets import object_store, storing_in
from tests.support.city import City
from tests.support.damage import spoil

DAY_AND_MORE = 25 * 3600


@pytest.fixture(scope="module")
def access() -> Iterator[BucketAccess]:
    with object_store() as made:
        yield made


@pytest.fixture
def empty(config: Config, tmp_path: Path) -> Iterator[Config]:
    """A folder of this test's own: nothing is in it that other tests have left."""
    own = replace(config, storage_dir=tmp_path)
    storage.configure(own)
    yield own
    storage.configure(config)


def write(staging: Staging, content: bytes) -> Staged:
    staged = staging.new_file()
    staged.write(content)
    staged.finish()
    return staged


def keep(content: bytes) -> tuple[str, bytes]:
    with Staging() as staging:
        staged = write(staging, content)
        return storage.keep(staged), staged.wrapped_key


def read(address: str, key: bytes) -> bytes:
    with storage.open_file(address, key) as stream:
        return stream.read()


def objects(access: BucketAccess) -> dict[str, bytes]:
    client: Any = buckets.SESSION.client(
        "s3",
        endpoint_url=access.url,
        region_name=access.region,
        aws_access_key_id=access.key_id,
        aws_secret_access_key=access.secret,
    )
    found = client.list_objects_v2(Bucket=access.bucket).get("Contents", [])
    held = {}
    for one in found:
        with client.get_object(Bucket=access.bucket, Key=one["Key"])["Body"] as body:
            held[one["Key"]] = body.read()
    client.close()
    return held


def folder_files(config: Config) -> list[str]:
    return sorted(path.name for path in (config.storage_dir / "objects").rglob("*") if path.is_file())


def test_a_bucket_keeps_sealed_files_and_gives_any_part(
    app: Flask, empty: Config, access: BucketAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large ones go in parts; S3 takes none below 5 MiB."""
    monkeypatch.setattr(buckets, "PART_BYTES", 5 * 1024 * 1024)
    content = os.urandom(6 * 1024 * 1024 + 17)
    with storing_in(empty, access):
        address, key = keep(content)
        small = keep(b"a name in clear")
        held = objects(access)
        for name, sealed in held.items():
            digest = hashlib.sha256(sealed).hexdigest()
            assert name == f"objects/{digest[:2]}/{digest}"
            assert b"a name in clear" not in sealed
        assert {name.rpartition("/")[2] for name in held} >= {address, small[0]}
        assert folder_files(empty) == []
        assert list((empty.storage_dir / "incoming").iterdir()) == []
        with storage.open_file(address, key) as stream:
            for start, length in ((0, 10), (5_000_000, 300_000), (CHUNK_BYTES - 1, 2), (len(content) - 5, 50)):
                stream.seek(start)
                assert stream.read(length) == content[start : start + length]
            stream.seek(0)
            assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(content).digest()
        storage.discard(address)
        storage.discard(address)
        with pytest.raises(storage.FileDamaged):
            storage.open_file(address, key)


def test_what_is_not_kept_leaves_the_bucket(app: Flask, empty: Config, access: BucketAccess) -> None:
    with storing_in(empty, access):
        before = objects(access).keys()
        with Staging() as staging:
            address = write(staging, b"refused").address
            assert f"objects/{address[:2]}/{address}" in objects(access)
        assert objects(access).keys() == before


def test_a_bucket_that_is_down_is_told_and_then_left_alone(
    app: Flask, city: City, empty: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        # Bound and not listened at: whoever connects is refused at once.
        taken.bind(("127.0.0.1", 0))
        down = BucketAccess(f"http://127.0.0.1:{taken.getsockname()[1]}", "files", "us-east-1", "test", "test-test")
        with storing_in(empty, down):
            hospital = city.hospital()
            city.bind_number(hospital, city.patient(), "P0001")
            refused = app.test_client().post(
                "/dicomweb/studies",
                data=dicom.multipart([dicom.to_bytes(dicom.make_image(PatientID="P0001"))]),
                headers={"Authorization": f"Bearer {city.machine(hospital).token}"},
                content_type=dicom.CONTENT_TYPE,
            )
            assert (refused.status_code, refused.json["code"]) == (503, "core.storage_silent")
            assert refused.headers["Retry-After"] == "5"
            home = stores.home()
            assert isinstance(home, buckets.Bucket)
            assert home._circuit.is_open
            with monkeypatch.context() as untouched:
                untouched.setattr(home, "_client", None)
                with pytest.raises(StorageSilent):
                    storage.open_file("00" * 32, b"")
    assert folder_files(empty) == []


def test_files_move_from_one_store_to_the_other_and_stay_readable(
    app: Flask, empty: Config, access: BucketAccess
) -> None:
    kept = {keep(content): content for content in (b"one", b"two" * 100_000)}
    damaged, _ = keep(b"three")
    spoil(empty.storage_dir / "objects" / damaged[:2] / damaged)
    with storing_in(empty, access):
        assert {read(*where) for where in kept} == set(kept.values()), "old files are read where they lie"
        moved = app.test_cli_runner().invoke(args=["files", "move"], catch_exceptions=False)
        assert moved.output == "2 files moved\n"
        assert folder_files(empty) == [damaged]
        assert {read(*where) for where in kept} == set(kept.values())
    with storing_in(empty, access, home="folder"):
        app.test_cli_runner().invoke(args=["files", "move"], catch_exceptions=False)
        assert {read(*where) for where in kept} == set(kept.values())
    assert {damaged, *(address for address, _ in kept)} <= set(folder_files(empty))


def make_old(path: Path) -> Path:
    old = path.stat().st_mtime - DAY_AND_MORE
    os.utime(path, (old, old))
    return path


def test_orphans_are_swept_after_a_day_and_what_is_missing_is_told(app: Flask, city: City, empty: Config) -> None:
    hospital, patient = city.hospital(), city.patient()
    city.bind_number(hospital, patient, "P0001")
    token = city.machine(hospital).token
    for _ in range(3):
        stored = app.test_client().post(
            "/dicomweb/studies",
            data=dicom.multipart([dicom.to_bytes(dicom.make_image(PatientID="P0001"))]),
            headers={"Authorization": f"Bearer {token}"},
            content_type=dicom.CONTENT_TYPE,
        )
        assert stored.status_code == 200
    named = folder_files(empty)
    young, old = keep(b"no row names me yet")[0], keep(b"nor me, since yesterday")[0]
    places = {name: empty.storage_dir / "objects" / name[:2] / name for name in (*named, young, old)}
    for name in (*named, old):
        make_old(places[name])
    (empty.storage_dir / "incoming" / "half").write_bytes(b"cut off")
    make_old(empty.storage_dir / "incoming" / "half")
    places[named[0]].unlink()
    places[named[1]].write_bytes(b"overwritten")

    runner = app.test_cli_runner()
    swept = runner.invoke(args=["files", "sweep"], catch_exceptions=False)
    assert swept.output == "2 files removed\n"
    assert set(folder_files(empty)) == {*named[1:], young}
    assert list((empty.storage_dir / "incoming").iterdir()) == []
    quick = runner.invoke(args=["files", "check"])
    assert quick.exit_code == 1
    assert f"missing {named[0]} of instances" in quick.output
    thorough = runner.invoke(args=["files", "check", "--read"])
    assert f"damaged {named[1]}" in thorough.output
    assert "4 files" not in quick.output
    assert "3 files, " in quick.output


def test_a_cache_keeps_its_bound_and_what_was_used_last(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", bound_bytes=16 * 3000, digits=1)
    for number in range(3):
        assert cache.put(f"a{number}", bytes(1000))
        age = tmp_path / "cache" / "a" / f"a{number}"
        os.utime(age, (1000 + number, 1000 + number))
    assert cache.read("a0") == bytes(1000), "a use makes it the youngest"
    assert cache.put("a3", bytes(1000))
    assert {name for name in ("a0", "a1", "a2", "a3") if cache.find(name)} == {"a0", "a2", "a3"}
    assert not cache.put("a4", bytes(5000)), "larger than its whole share"
    assert cache.find("a9") is None


def test_without_room_a_cache_keeps_nothing_and_refuses_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    cache = Cache(tmp_path / "file", bound_bytes=1_000_000)
    assert not cache.put("ab", b"picture")
    assert cache.read("ab") is None


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"STORAGE_HOME": "bucket"}, "STORAGE_HOME"),
        ({"BUCKET_URL": "https://store.test"}, "BUCKET_NAME"),
        ({"BUCKET_URL": "http://store.test", "YIMATONG_PROFILE": "production"}, "https"),
        ({"STORAGE_HOME": "elsewhere"}, "STORAGE_HOME"),
    ],
)
def test_a_half_described_store_stops_the_process(
    environment: dict[str, str], said: dict[str, str], named: str
) -> None:
    told = {**environment, "BASE_URL": "https://platform.test", **said}
    with pytest.raises(ConfigurationError, match=named):
        read_config(told)
