"""Under which account the servers run, and what that account must be lent so that it can reach them."""

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.embedded.errors import EmbeddedError

LAUNCH = Path(__file__).with_name("launch.py")
UNPRIVILEGED_NAME = "nobody"

# capabilities(7): search and read anything. The second also writes anything; many containers leave root only that one.
CAP_DAC_READ_SEARCH = 2
CAP_DAC_OVERRIDE = 1


@dataclass(frozen=True)
class Account:
    """Who a server is to become. ``uid`` None: whoever we are."""

    uid: int | None = None
    gid: int | None = None
    capability: int | None = None

    def launcher(self) -> list[str]:
        """The beginning of a command that becomes this account and dies with the calling thread."""
        command = [sys.executable, "-I", "-S", str(LAUNCH), f"--parent={os.getpid()}"]
        if self.uid is not None:
            command += [f"--uid={self.uid}", f"--gid={self.gid}"]
        if self.capability is not None:
            command.append(f"--capability={self.capability}")
        return command

    def own_folder(self, folder: Path) -> None:
        """Make a folder that only this account reads; its parents keep their modes and owners.

        :raises EmbeddedError: the folder belongs to somebody else.
        """
        folder.mkdir(exist_ok=True, mode=0o700)
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)
        elif folder.stat().st_uid != os.geteuid():
            raise EmbeddedError(
                f"{folder} belongs to another account (uid {folder.stat().st_uid}): start as that account, or remove it"
            )
        folder.chmod(0o700)

    def own_file(self, path: Path, text: str) -> None:
        """Write a file that only this account reads."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            if self.uid is not None and self.gid is not None:
                os.fchown(descriptor, self.uid, self.gid)


def choose_account(folder: Path) -> Account:
    """Who runs the server whose data lie in ``folder`` (which need not exist yet).

    An ordinary user runs it himself. PostgreSQL refuses root, so root hands it to whoever owns the data already, or to
    ``nobody``, an account that every system has; none is added.

    :raises EmbeddedError: the system has no such account.
    """
    if os.geteuid() != 0:
        return Account()
    if folder.exists() and folder.stat().st_uid != 0:
        return Account(folder.stat().st_uid, folder.stat().st_gid)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_NAME)
    except KeyError as error:
        raise EmbeddedError(
            f"PostgreSQL does not run as root and this system has no account {UNPRIVILEGED_NAME!r}: "
            "start as an ordinary user, or set DATABASE_URL and REDIS_URL to servers of your own"
        ) from error
    return Account(entry.pw_uid, entry.pw_gid)


def lend_reach(account: Account, paths: Sequence[Path]) -> Account:
    """The same account with the one capability it needs to read ``paths``, or none when it needs none.

    A clone below a closed folder (``/root/x``) is out of reach for ``nobody``; opening that folder to everyone would
    be worse than lending this one process the right to search folders.

    :raises EmbeddedError: the paths stay out of reach.
    """
    if account.uid is None:
        return account
    reasons = []
    for capability in (None, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        candidate = replace(account, capability=capability)
        command = [*candidate.launcher(), "--probe", "--", *map(str, paths)]
        probe = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if probe.returncode == 0:
            return candidate
        reasons.append(probe.stderr.strip().rpartition("\n")[2] or "permission denied")
    raise EmbeddedError(
        f"uid {account.uid}, under which PostgreSQL has to run, cannot reach {paths[0]} ({'; '.join(reasons)}): "
        "clone into a folder that others may search, start as an ordinary user, "
        "or set DATABASE_URL and REDIS_URL to servers of your own"
    )
