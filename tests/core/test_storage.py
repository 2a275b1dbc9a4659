"""Sealed files: whole, unreadable without their key, and never silently other than what was written."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import storage
from core.config import Config
from core.storage import CHUNK_BYTES, FileDamaged, Staged, Staging, StorageFull

SEALED_CHUNK_BYTES = CHUNK_BYTES + 37


def write(staging: Staging, content: bytes, piece_bytes: int = 50_000) -> Staged:
    staged = staging.new_file()
    for start in range(0, len(content), piece_bytes):
        staged.write(content[start : start + piece_bytes])
    staged.finish()
    return staged


def keep(content: bytes) -> tuple[str, bytes]:
    with Staging() as staging:
        staged = write(staging, content)
        return storage.keep(staged), staged.wrapped_key


def place(config: Config, address: str) -> Path:
    return config.storage_dir / "objects" / address[:2] / address


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 1_000_003])
def test_what_is_kept_is_read_back(app: Flask, config: Config, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]
    address, key = keep(content)
    with storage.open_file(address, key) as stream:
        assert stream.read() == content
    sealed = place(config, address)
    assert sealed.stat().st_mode & 0o777 == 0o600
    assert content[:200] not in sealed.read_bytes() or size < 200


@given(start=st.integers(0, 250_000), length=st.integers(0, 250_000))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_part_is_read_without_the_rest(app: Flask, start: int, length: int) -> None:
    content = bytes(index % 253 for index in range(200_000))
    address, key = keep(content)
    with storage.open_file(address, key) as stream:
        stream.seek(start)
        assert stream.read(length) == content[start : start + length]


def test_what_is_not_kept_is_forgotten(app: Flask, config: Config) -> None:
    # Processes that other tests killed have left some there.
    before = set((config.storage_dir / "incoming").iterdir())
    with Staging() as staging:
        staged = write(staging, b"x" * 1000)
        assert staged.path.exists()
    assert set((config.storage_dir / "incoming").iterdir()) == before


@pytest.mark.parametrize("damage", ["altered", "cut off", "cut at a chunk", "swapped chunks", "missing"])
def test_damage_is_noticed(app: Flask, config: Config, damage: str) -> None:
    address, key = keep(b"a" * CHUNK_BYTES + b"b" * CHUNK_BYTES + b"c" * 10)
    sealed = place(config, address)
    content = sealed.read_bytes()
    first, second, rest = (
        content[:SEALED_CHUNK_BYTES],
        content[SEALED_CHUNK_BYTES : 2 * SEALED_CHUNK_BYTES],
        content[2 * SEALED_CHUNK_BYTES :],
    )
    sealed.unlink()
    if damage != "missing":
        sealed.write_bytes(
            {
                "altered": content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
                "cut off": content[:-3],
                "cut at a chunk": first + second,
                "swapped chunks": second + first + rest,
            }[damage]
        )
    with pytest.raises(FileDamaged) as refused:
        with storage.open_file(address, key) as stream:
            stream.read()
    assert refused.value.code == "core.file_damaged"


def test_another_files_key_opens_nothing(app: Flask) -> None:
    address, _ = keep(b"one")
    _, other_key = keep(b"another")
    with pytest.raises(FileDamaged), storage.open_file(address, other_key) as stream:
        stream.read()


@contextmanager
def no_room_beyond(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_room_is_a_refusal_of_its_own(app: Flask) -> None:
    with Staging() as staging, pytest.raises(StorageFull) as refused, no_room_beyond(100_000):
        write(staging, b"x" * 400_000)
    assert (refused.value.code, refused.value.status) == ("core.storage_full", 503)
