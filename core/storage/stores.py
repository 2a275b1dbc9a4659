"""Which stores this process has: new files go into one, old ones are read from wherever they lie."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.config import Config
from core.errors import Unavailable
from core.storage import offload
from core.storage.folder import Folder
from core.storage.stored import Store


class StorageSilent(Unavailable):
    code = "core.storage_silent"
    title = "影像存储暂时无法访问,请稍后再试"
    detail = "The store of files does not answer. Nothing was filed; send the same request again after Retry-After."
    headers = {"Retry-After": "5"}


@dataclass(frozen=True)
class Stores:
    """``all``: in the order in which a file is looked for; ``home``: the one where new files are kept."""

    config: Config
    incoming: Path
    all: tuple[Store, ...]
    home: Store


_stores: Stores | None = None


def configure(config: Config) -> None:
    """Say where the process keeps its files, once, at its start.

    :raises ConfigurationError: what the web server is to send would lie on a disk.
    """
    global _stores
    folder: Store = Folder(config.storage_dir / "objects")
    everywhere: tuple[Store, ...] = (folder,)
    if config.bucket is not None:
        # Half a second and forty megabytes, which an installation without a bucket does not pay.
        everywhere += (importlib.import_module("core.storage.bucket").Bucket(config.bucket),)
    if config.accel_dir is not None:
        offload.check_in_memory(config.accel_dir)
    home_store = next(store for store in everywhere if store.name == config.storage_home)
    _stores = Stores(config, config.storage_dir / "incoming", everywhere, home_store)


def current_config() -> Config:
    """What the process was told about its files, and those that it can make again."""
    return _configured().config


def incoming() -> Path:
    """The folder of this machine in which files are staged."""
    return _configured().incoming


def home() -> Store:
    """Where new files are kept."""
    return _configured().home


def everywhere() -> tuple[Store, ...]:
    """All stores in which files may lie."""
    return _configured().all


def find(address: str) -> tuple[BinaryIO, int] | None:
    """The sealed bytes of a file, wherever it lies; None when nowhere.

    :raises StorageSilent: a store in which it may lie does not answer.
    """
    first, *others = everywhere()
    # While files are moved, one may leave the second store for the first after that was looked into.
    for store in (first, *others, *([first] if others else [])):
        found = store.find(address)
        if found is not None:
            return found
    return None


def discard(address: str) -> None:
    """Remove a file from wherever it lies."""
    for store in everywhere():
        store.discard(address)


def _configured() -> Stores:
    if _stores is None:
        raise RuntimeError("storage was not configured")
    return _stores
