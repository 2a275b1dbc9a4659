"""A real nginx, set up as docs/operation.md says, sends pictures in our place; we decide, each time."""

import os
import re
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from core import storage
from core.config import Config
from tests.support import dicom
from tests.support.city import City, bearer

pytestmark = pytest.mark.system("nginx")

GUIDE = Path(__file__).parents[2] / "docs" / "operation.md"
PATIENCE_SECONDS = 60
SETTINGS = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{behind}; }}
        {as_told}
    }}
}}
"""


@pytest.fixture
def memory() -> Iterator[Path]:
    """In memory: what nginx sends lies there in clear."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def behind(committing_app: Flask, config: Config, memory: Path, tmp_path: Path) -> Iterator[int]:
    """Our server, told that nginx sends pictures; its port."""
    storage.configure(replace(config, storage_dir=tmp_path, accel_dir=memory / "pictures"))
    server = make_server("127.0.0.1", 0, committing_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()
    storage.configure(config)


@pytest.fixture
def in_front(memory: Path, behind: int) -> Iterator[str]:
    """Where nginx answers. The port is opened here and handed over: nobody can take it between."""
    (told,) = re.findall(r"```nginx\n(.+?)```", GUIDE.read_text(), re.DOTALL)
    as_told = told.replace("/run/yimatong-rendered/", f"{memory}/pictures/")
    assert as_told != told
    settings = memory / "nginx.conf"
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port = opened.getsockname()[1]
        settings.write_text(SETTINGS.format(folder=memory, port=port, behind=behind, as_told=as_told))
        command = ["nginx", "-p", str(memory), "-c", str(settings), "-e", f"{memory}/error.log"]
        handed_over = {"NGINX": f"{opened.fileno()};", "PATH": os.environ["PATH"]}
        with subprocess.Popen(command, env=handed_over, pass_fds=[opened.fileno()], stderr=subprocess.DEVNULL) as nginx:
            yield f"http://127.0.0.1:{port}"
            nginx.terminate()


def test_nginx_sends_the_picture_and_a_revoke_holds_at_once(committing_city: City, memory: Path, in_front: str) -> None:
    city, treating = committing_city, committing_city.hospital("市第二测试医院")
    hospital, patient, doctor = city.hospital(), city.patient(), city.staff(treating)
    city.bind_number(hospital, patient, "P0001")
    city.visit(doctor, patient, treating)
    image = dicom.make_image(PatientID="P0001")
    assert city.store(city.machine(hospital), image).status_code == 200
    path, mine = f"{dicom.path_of(image)}/frames/1/rendered", bearer(doctor.token)
    from_us = city.client.get(path, headers=mine)
    assert (from_us.data, bool(from_us.headers["X-Accel-Redirect"])) == (b"", True)
    for _ in range(2):
        reply = ask(in_front + path, mine)
        assert (reply.status_code, reply.headers["Content-Type"]) == (200, "image/jpeg")
        assert reply.content.startswith(b"\xff\xd8")
        assert "X-Accel-Redirect" not in reply.headers
        assert (reply.headers["ETag"], reply.headers["Cache-Control"]) == (from_us.headers["ETag"], "private, no-cache")
    (kept,) = (memory / "pictures").glob("*/*")
    assert kept.read_bytes() == reply.content
    assert ask(in_front + path, mine | {"If-None-Match": reply.headers["ETag"]}).status_code == 304
    assert ask(in_front + from_us.headers["X-Accel-Redirect"], mine).status_code == 404, "nobody but us may name it"
    for grant in city.client.get("/api/v1/grants", headers=bearer(patient.token)).json["grants"]:
        city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(patient.token))
    refused = ask(in_front + path, mine)
    assert (refused.status_code, refused.json()["code"]) == (404, "records.image_not_found")


def ask(address: str, headers: dict[str, str]) -> requests.Response:
    return requests.get(address, headers=headers, timeout=PATIENCE_SECONDS)
