"""Start the simulator as a process of its own and stop it again: for tests."""

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from simulator.control import Control

_ROOT = Path(__file__).resolve().parent.parent
_STOP_WITHIN_SECONDS = 60


class SimulatorFailed(Exception):
    """The process ended instead of becoming ready; the text is what it wrote."""


class Running:
    """A simulator process. ``control`` stays good over ``kill`` and ``start``: the port is kept."""

    def __init__(self, state_dir: Path, env: Mapping[str, str], port: int = 0) -> None:
        self._state_dir = state_dir
        self._env = {"PYTHONUNBUFFERED": "1", **env}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    @property
    def base_url(self) -> str:
        """The value for WECHAT_BASE_URL and WECHATPAY_BASE_URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def control(self) -> Control:
        """The control door of this simulator."""
        return Control(self.base_url, self._env["SIMULATOR_TOKEN"])

    @property
    def log_file(self) -> Path:
        """What the process wrote."""
        return self._state_dir / "simulator.log"

    def start(self) -> None:
        """Start and wait until it is ready.

        :raises SimulatorFailed: it stopped at once, with its own message.
        """
        self._state_dir.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "simulator",
            "--port",
            str(self.port),
            "--state",
            str(self._state_dir),
        ]
        with self.log_file.open("ab") as log:
            begins_at = log.tell()
            self._process = subprocess.Popen(
                [*command, "--until-stdin-ends"],
                cwd=_ROOT,
                env=self._env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline().decode()
        if not ready.startswith("simulator ready on "):
            self._reap()
            raise SimulatorFailed(self.log_file.read_bytes()[begins_at:].decode().strip())
        self.port = int(ready.rsplit(":", 1)[1])

    def kill(self) -> None:
        """kill -9; what it had acknowledged is there at the next ``start``."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def stop(self) -> int:
        """Ask it to stop and wait; the exit code, 0 when all is well."""
        if self._process is None:
            return 0
        self._process.terminate()
        return self._reap()

    def _reap(self) -> int:
        process, self._process = self._process, None
        assert process is not None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            return process.wait(_STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


@contextmanager
def running(state_dir: Path, env: Mapping[str, str], port: int = 0) -> Iterator[Running]:
    """A simulator on a free port (or ``port``) for the length of the block.

    :param state_dir: folder of its own; a second block on the same folder goes on where the first stopped.
    :param env: the variables of ``simulator.settings``, for instance from ``new_secrets``.
    :raises SimulatorFailed: it could not start.
    """
    simulator = Running(state_dir, env, port)
    simulator.start()
    try:
        yield simulator
    finally:
        simulator.stop()


def new_secrets() -> dict[str, str]:
    """Fresh random values of every variable that the platform and the simulator share.

    WECHATPAY_PUBLIC_KEY is for the platform only, SIMULATOR_* for the simulator only; the base addresses are added by
    the caller once the port is known.
    """
    merchant, platform = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    return {
        "WECHAT_APP_ID": f"wx{secrets.token_hex(8)}",
        "WECHAT_APP_SECRET": secrets.token_hex(16),
        "WECHATPAY_MERCHANT_ID": f"19{secrets.randbelow(10**8):08d}",
        "WECHATPAY_MERCHANT_SERIAL": secrets.token_hex(20).upper(),
        "WECHATPAY_MERCHANT_KEY": _private_pem(merchant),
        "WECHATPAY_PUBLIC_KEY": platform.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        "WECHATPAY_PUBLIC_KEY_ID": f"PUB_KEY_ID_{secrets.randbelow(10**34):034d}",
        "WECHATPAY_APIV3_KEY": secrets.token_hex(16),
        "SIMULATOR_WECHATPAY_PRIVATE_KEY": _private_pem(platform),
        "SIMULATOR_TOKEN": secrets.token_urlsafe(32),
    }


def _private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
