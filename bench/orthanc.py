"""Orthanc (Debian package), started beside the product: the PACS with which its images are compared."""

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.harness import cpu_seconds
from core.embedded.process import find_port

_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass
class Server:
    """One of the two: where its DICOMweb and its DIMSE are, what its processes have spent, and who asks."""

    port: int
    root: str
    dicom_port: int
    cpu_seconds: Callable[[], float]
    reading: dict[str, str] = field(default_factory=dict)
    storing: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> float:
        """As ``send`` on a connection of its own."""
        connection = self.connect()
        try:
            return self.send(connection, method, path, headers, body)
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        """To be closed by who asked for it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | None = None,
    ) -> float:
        """Milliseconds of a request, from sending it to its last byte."""
        started = time.perf_counter()
        connection.request(method, self.root + path, body, headers)
        reply = connection.getresponse()
        content = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {content[:300]!r}")
        return (time.perf_counter() - started) * 1000


@contextmanager
def run(folder: Path, title: str) -> Iterator[Server]:
    """Orthanc on a free port of this machine alone, with its index and files in the folder; ``title``: its AE title.

    :raises RuntimeError: it is not installed.
    """
    program = shutil.which("Orthanc")
    if program is None or not _PLUGIN.exists():
        raise RuntimeError("Orthanc is not installed: apt-get install orthanc orthanc-dicomweb")
    port, dicom_port = find_port(), find_port()
    settings = {
        "StorageDirectory": str(folder / "files"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": port,
        "DicomPort": dicom_port,
        "DicomAet": title,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(_PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        server = Server(port, "/dicom-web", dicom_port, lambda: cpu_seconds(process.pid))
        for _ in range(200):
            try:
                server.ask("GET", "/studies", {})
                break
            except OSError:
                time.sleep(0.1)
        yield server
    finally:
        process.kill()
        process.wait()
