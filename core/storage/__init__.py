"""Sealed files and where they are kept (docs/adr/0006-image-storage.md, docs/adr/0023-where-files-lie.md)."""

from core.storage.folder import StorageFull
from core.storage.sealing import (
    CHUNK_BYTES,
    FileDamaged,
    SealedWriter,
    Staged,
    Staging,
    discard,
    keep,
    open_file,
    open_sealed,
)
from core.storage.stores import StorageSilent, configure

__all__ = [
    "CHUNK_BYTES",
    "FileDamaged",
    "SealedWriter",
    "Staged",
    "Staging",
    "StorageFull",
    "StorageSilent",
    "configure",
    "discard",
    "keep",
    "open_file",
    "open_sealed",
]
