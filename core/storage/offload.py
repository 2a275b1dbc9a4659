"""What the web server may send by itself (X-Accel-Redirect): only what lies in memory (ADR 23)."""

from pathlib import Path

from core.config import ConfigurationError

# The address that nginx serves from ACCEL_DIR, to nobody but us (docs/operation.md).
ADDRESS = "/_rendered"
_IN_MEMORY = {"tmpfs", "ramfs"}


def check_in_memory(folder: Path) -> None:
    """What nginx sends lies there in clear, and nothing stands on a disk in clear, ever.

    :raises ConfigurationError: the folder is not on a file system that lives in memory.
    """
    if file_system_of(folder) not in _IN_MEMORY:
        raise ConfigurationError(f"ACCEL_DIR must be on a tmpfs: pictures lie there in clear ({folder} does not)")


def file_system_of(folder: Path) -> str:
    """The type of the file system that a path is on or would be on, as Linux names it (proc(5), mountinfo)."""
    wanted = folder.resolve()
    mounts = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        # The last one mounted at a place is the one that is seen.
        mounts[Path(before.split()[4].replace("\\040", " "))] = after.split()[0]
    return next(mounts[place] for place in (wanted, *wanted.parents) if place in mounts)
