"""Pictures that were made before. Who may see one is decided before this is asked, each time (``get_instance``).

A picture lies sealed under the key of its instance, in a folder that never grows beyond its bound; or, where the web
server sends pictures by itself, in clear in the memory of this machine (docs/adr/0023-where-files-lie.md).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from core.storage import offload, stores
from core.storage.cache import Cache
from core.vault import SealBroken, vault
from records.images.service import InstanceFile

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Picture:
    """One picture: its bytes, or the address from which the web server sends it in our place."""

    content: bytes
    sent_from: str | None = None


def find_or_make(file: InstanceFile, described: str, make: Callable[[], bytes]) -> Picture:
    """A rendered picture of an instance, made once as long as there is room to keep it.

    :param file: of which the asker was just allowed to see pictures.
    :param described: all that the picture depends on beside the instance: frame, window, size, quality.
    :param make: its bytes; called when it is not kept.
    """
    # Two hospitals may hold the same file: each has a key of its own.
    name = hashlib.sha256(f"{file.storage_key}/{described}".encode()).hexdigest()
    config = stores.current_config()
    bound_bytes = config.rendered_cache_mb * _MEBIBYTE
    if config.accel_dir is not None:
        return _in_clear(Cache(config.accel_dir, bound_bytes=bound_bytes, folder_mode=0o750), name, make)
    cache = Cache(config.storage_dir / "rendered", bound_bytes=bound_bytes)
    return Picture(_sealed(cache, name, file, f"rendered/{described}", make))


def _sealed(cache: Cache, name: str, file: InstanceFile, context: str, make: Callable[[], bytes]) -> bytes:
    key = vault().unwrap(file.data_key)
    kept = cache.read(name)
    if kept is not None:
        try:
            return key.unseal_bytes(kept, context=context)
        except SealBroken:
            # Damaged on the disk: it is made again.
            pass
    made = make()
    cache.put(name, key.seal_bytes(made, context=context))
    return made


def _in_clear(cache: Cache, name: str, make: Callable[[], bytes]) -> Picture:
    made = b""
    if cache.find(name) is None:
        made = make()
        # The web server runs under another user, of our group.
        if not cache.put(name, made, mode=0o640):
            return Picture(made)
    return Picture(b"", f"{offload.ADDRESS}/{name[:2]}/{name}")
