"""Orthanc as a hospital's archive: the Debian package, on a free port, with a folder of its own."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from core.embedded.process import find_port

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
USER, PASSWORD = "platform", "platform-password"


@dataclass(frozen=True)
class Orthanc:
    """A running one. ``base_url`` is where its DICOMweb begins."""

    url: str
    process: "subprocess.Popen[bytes]"

    @property
    def base_url(self) -> str:
        return f"{self.url}/dicom-web"

    def ask(self, method: str, path: str, **sent: Any) -> Any:
        reply = requests.request(method, f"{self.url}{path}", auth=(USER, PASSWORD), timeout=60, **sent)
        reply.raise_for_status()
        return reply.json() if reply.content else None

    def is_ready(self) -> bool:
        try:
            self.ask("GET", "/system")
        except requests.RequestException:
            return False
        return True

    def add(self, file: bytes) -> str:
        """Put a DICOM file into it; returns its own id of the instance."""
        return str(self.ask("POST", "/instances", data=file)["ID"])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def running_orthanc(folder: Path) -> Iterator[Orthanc]:
    port = find_port()
    settings = {
        "Name": "ARCHIVE",
        "StorageDirectory": str(folder / "files"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [PLUGIN],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)
    orthanc = Orthanc(f"http://127.0.0.1:{port}", process)
    try:
        gives_up_at = time.monotonic() + 120
        while not orthanc.is_ready():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < gives_up_at, (folder / "log").read_text()
            time.sleep(0.05)
        yield orthanc
    finally:
        orthanc.stop()
