"""Become the unprivileged account, tie this process to its parent's life, then become the server.

Run as a script in a fresh interpreter (``python -I launch.py``), never imported by the platform: the steps below change
the credentials of the whole process, and between fork and exec of a threaded parent Python code may deadlock.
Only Linux knows these calls (prctl(2), capabilities(7)).
"""

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySet(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _prctl(option: int, *values: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if _libc.prctl(option, *padded) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} {values}: {os.strerror(ctypes.get_errno())}")


def _keep_only(capability: int) -> None:
    """Give up every capability but this one (below 32), and let it pass the exec of an ordinary program."""
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    sets = (_CapabilitySet * 2)(_CapabilitySet(bit, bit, bit), _CapabilitySet(0, 0, 0))
    if _libc.capset(ctypes.byref(header), sets) != 0:
        raise OSError(ctypes.get_errno(), f"capset: {os.strerror(ctypes.get_errno())}")
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def become_account(uid: int, gid: int, capability: int | None) -> None:
    """Drop from root to an account for good, keeping at most one capability.

    :raises OSError: the kernel or a sandbox refuses the change.
    """
    if capability is not None:
        # PostgreSQL asks access(2), which forgets the capabilities of all but root unless this bit is set.
        _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if capability is not None:
        _keep_only(capability)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)  # No set-user-ID program can give back what was just given up.


def die_with_parent(parent_pid: int, signal_number: int) -> None:
    """Have the kernel send a signal to this process when the thread that started it ends.

    To be called after the last change of credentials, which clears the wish.
    """
    _prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent_pid:  # The parent ended before the wish was known to the kernel.
        sys.exit("the process that started this server has ended")


def main(arguments: Sequence[str]) -> None:
    """Carry out the command line: options of this module, then ``--`` and the server's own command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--capability", type=int)
    parser.add_argument("--probe", action="store_true", help="the rest are paths: exit 0 if all can be read")
    parser.add_argument("command", nargs="*")
    options = parser.parse_args(arguments)
    if options.uid is not None:
        become_account(options.uid, options.gid, options.capability)
    if options.probe:
        sys.exit(0 if all(os.access(path, os.R_OK) for path in options.command) else 1)
    die_with_parent(options.parent, options.death_signal)
    # To become the command that stands in its arguments is all this program is for; no shell sees them.
    os.execv(options.command[0], options.command)


if __name__ == "__main__":
    main(sys.argv[1:])
