"""A folder of things that can be made again, never larger than it may be: what was used longest ago goes first."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from core.ids import new_id
from core.storage.folder import make_folder

# Each look would be a write to the disk; minutes are exact enough to tell what is used.
_TOUCH_AFTER_SECONDS = 300


class Cache:
    """Files by name (hexadecimal digits), in as many drawers as are looked through quickly.

    Several processes share one: what one of them removes is simply not there for the others. A cache that cannot be
    written (no room) keeps nothing, and nobody is refused anything for it.
    """

    def __init__(self, folder: Path, *, bound_bytes: int, digits: int = 2, folder_mode: int = 0o700) -> None:
        """:param digits: how many of a name choose its drawer; each of the ``16 ** digits`` has its share."""
        self._folder, self._digits, self._folder_mode = folder, digits, folder_mode
        self._share_bytes = bound_bytes // 16**digits

    def find(self, name: str) -> Path | None:
        """Where the file lies, which counts as a use of it; None when it is not here."""
        path = self.place(name)
        try:
            used_at = path.stat().st_mtime
            if time.time() - used_at > _TOUCH_AFTER_SECONDS:
                os.utime(path)
        except OSError:
            return None
        return path

    def read(self, name: str) -> bytes | None:
        """What the file holds; None when it is not here."""
        path = self.find(name)
        with suppress(OSError):
            return path.read_bytes() if path else None
        return None

    def put(self, name: str, content: bytes, *, mode: int = 0o600) -> bool:
        """Keep it; returns whether it is kept."""
        try:
            # In the drawer itself: what a killed process leaves there is cleared away with the rest.
            new = self._open_drawer(name) / f"new-{new_id()}"
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError:
            return False
        return self.put_file(name, new)

    def put_file(self, name: str, new: Path) -> bool:
        """As ``put``, for a file that stands on this machine; it is moved. It is gone when it could not be kept."""
        place = self.place(name)
        try:
            self._open_drawer(name)
            os.utime(new)
            shutil.move(new, place)
            self._make_room(place.parent)
        except OSError:
            new.unlink(missing_ok=True)
        return place.exists()

    def place(self, name: str) -> Path:
        """Where a file of this name lies, if it does."""
        return self._folder / name[: self._digits] / name

    def _open_drawer(self, name: str) -> Path:
        drawer = make_folder(self._folder) / name[: self._digits]
        if not drawer.is_dir():
            drawer.mkdir(mode=self._folder_mode, exist_ok=True)
        return drawer

    def _make_room(self, drawer: Path) -> None:
        held = sorted(_list_held(drawer))
        too_much = sum(size for _, size, _ in held) - self._share_bytes
        for _, size, path in held:
            if too_much <= 0:
                return
            Path(path).unlink(missing_ok=True)
            too_much -= size


def _list_held(drawer: Path) -> Iterator[tuple[float, int, str]]:
    """When each file was last used, its size, and where it lies."""
    with os.scandir(drawer) as entries:
        for entry in entries:
            # Another process or thread may have moved it in, or cleared it away, since it was listed.
            with suppress(FileNotFoundError):
                known = entry.stat()
                yield known.st_mtime, known.st_size, entry.path
