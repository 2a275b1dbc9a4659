"""Images over DICOMweb, beside Orthanc (Debian package) with the same files; the product decides at every request."""

import io
import json
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import UUID

import pydicom
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from accounts import service as accounts
from accounts import tokens
from app import create_app
from bench import filling, orthanc, town
from bench.harness import Figure, Round, Settings, alternate, cpu_seconds, machines, percentile
from bench.orthanc import Server
from core import db
from core.actor import SYSTEM
from core.config import Config, read_config
from core.embedded.process import find_port

SLICES, ROWS = 100, 512
STUDIES, STUDIES_OF_ORTHANC = 20_000, 500
STUDIES_OF_PATIENT = 30
_CALLING, _CALLED = "PACS", "YIMATONG"
_BOUNDARY = "a-boundary-of-the-bench"
_STORE = {
    "Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}',
    "Accept": "application/dicom+json",
}
_FILL = """
INSERT INTO studies (id, hospital_id, person_id, study_instance_uid, modalities, studied_at, series_count,
    instance_count, filed_at)
SELECT gen_random_uuid(), %(hospital_id)s, %(person_id)s, '1.2.3.' || number, ARRAY['CT'],
    now() - number * interval '1 hour', 1, 1, now()
FROM generate_series(1, %(studies)s) AS number
"""


@dataclass(frozen=True)
class _Study:
    """What both servers hold: the uids of a study of 100 slices."""

    study: str
    series: str
    instances: list[str]

    @property
    def series_path(self) -> str:
        return f"/studies/{self.study}/series/{self.series}"


@dataclass(frozen=True)
class _Scene:
    """Both servers, and the patient whose images they hold."""

    servers: dict[str, Server]
    card_number: str
    person_id: UUID
    database_url: str


def measure_store(settings: Settings) -> list[Figure]:
    """A study of 100 CT slices (53 MB) in one request, one after the other."""
    with _both() as scene:

        def one_round(server: Server) -> Round:
            _, body = _make_study(scene.card_number)
            before = server.cpu_seconds()
            taken = server.ask("POST", "/studies", server.storing | _STORE, body)
            return {"seconds": taken / 1000, "server_cpu_ms": (server.cpu_seconds() - before) * 1000}

        return _alternate("images_store", scene.servers, one_round, settings)


def measure_cstore(settings: Settings) -> list[Figure]:
    """A study of 100 CT slices over one association, sent by dcmtk."""
    sender = shutil.which("storescu")
    if sender is None:
        raise RuntimeError("storescu is not installed: apt-get install dcmtk")
    with _both() as scene:

        def one_round(server: Server) -> Round:
            with tempfile.TemporaryDirectory(prefix="yimatong-bench-") as folder:
                for number, content in enumerate(_make_files(scene.card_number)[1]):
                    (Path(folder) / str(number)).write_bytes(content)
                before, started = server.cpu_seconds(), time.perf_counter()
                titles = ("-aet", _CALLING, "-aec", _CALLED)
                subprocess.run([sender, *titles, "+sd", "127.0.0.1", str(server.dicom_port), folder], check=True)
                taken = time.perf_counter() - started
            return {"seconds": taken, "server_cpu_ms": (server.cpu_seconds() - before) * 1000}

        return _alternate("images_cstore", scene.servers, one_round, settings)


def measure_list(settings: Settings) -> list[Figure]:
    """All studies of a patient who has 31."""
    return _measure("images_list", settings, lambda _study, _chance: "/studies?limit=100", {})


def measure_search(settings: Settings) -> list[Figure]:
    """One study by its UID: among 20,000 of one patient here, among 500 in Orthanc."""
    return _measure("images_search", settings, lambda study, _: f"/studies?StudyInstanceUID={study.study}", {})


def measure_metadata(settings: Settings) -> list[Figure]:
    """All attributes of a series of 100 slices."""
    accept = {"Accept": "application/dicom+json"}
    return _measure("images_metadata", settings, lambda study, _: f"{study.series_path}/metadata", accept)


def measure_rendered_again(settings: Settings) -> list[Figure]:
    """A slice of 512 x 512 as JPEG in its own window: made by the first who asks for it."""

    def address(study: _Study, chance: random.Random) -> str:
        return f"{study.series_path}/instances/{chance.choice(study.instances[:10])}/rendered"

    return _measure("images_rendered_again", settings, address, {"Accept": "image/jpeg"})


def measure_rendered(settings: Settings) -> list[Figure]:
    """A slice of 512 x 512 as JPEG in a window that nobody has asked for before: always made anew."""
    fresh = count(100)

    def address(study: _Study, chance: random.Random) -> str:
        path = f"{study.series_path}/instances/{chance.choice(study.instances)}"
        return f"{path}/rendered?window=40,{next(fresh)},linear"

    return _measure("images_rendered", settings, address, {"Accept": "image/jpeg"})


def measure_frames(settings: Settings) -> list[Figure]:
    """The samples of a slice (512 KiB)."""

    def address(study: _Study, chance: random.Random) -> str:
        return f"{study.series_path}/instances/{chance.choice(study.instances)}/frames/1"

    accept = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
    return _measure("images_frames", settings, address, accept)


def _measure(
    bench: str, settings: Settings, address: Callable[[_Study, random.Random], str], accept: dict[str, str]
) -> list[Figure]:
    with _both() as scene:
        study, body = _make_study(scene.card_number)
        for server in scene.servers.values():
            server.ask("POST", "/studies", server.storing | _STORE, body)
        if bench == "images_search":
            _fill(scene)
        if bench == "images_list":
            _add_studies(scene)
        chance = random.Random(settings.seed)

        def one_round(server: Server) -> Round:
            until = time.perf_counter() + settings.seconds

            def ask_on(_: int) -> list[float]:
                seen, headers = [], server.reading | accept
                with closing(server.connect()) as connection:
                    while time.perf_counter() < until:
                        seen.append(server.send(connection, "GET", address(study, chance), headers))
                return seen

            before, started = server.cpu_seconds(), time.perf_counter()
            with ThreadPoolExecutor(settings.connections) as pool:
                taken = [one for each in pool.map(ask_on, range(settings.connections)) for one in each]
            return {
                "per_second": len(taken) / (time.perf_counter() - started),
                "p50_ms": percentile(taken, 50),
                "p99_ms": percentile(taken, 99),
                "server_cpu_ms": (server.cpu_seconds() - before) * 1000 / len(taken),
            }

        return _alternate(bench, scene.servers, one_round, settings)


def _alternate(
    bench: str, servers: dict[str, Server], one_round: Callable[[Server], Round], settings: Settings
) -> list[Figure]:
    for server in servers.values():
        one_round(server)
    contenders = {name: lambda server=server: one_round(server) for name, server in servers.items()}
    return alternate(bench, contenders, settings.rounds)


@contextmanager
def _both() -> Iterator[_Scene]:
    """The two servers, empty."""
    with tempfile.TemporaryDirectory(prefix="yimatong-bench-") as name, machines(Path(name) / "servers") as running:
        config = read_config(running.environment)
        with create_app(config).app_context():
            dicom_port = find_port()
            reading, storing, card_number, person_id = _register(config, dicom_port)
            port = running.serve("product", "app:create_app", database_url=running.product_url, ready="/readyz")
            listener = running.start_worker("images")
            _wait_for(dicom_port)

            def spent() -> float:
                web, database = running.server_cpu_seconds("product"), running.database_cpu_seconds()
                return web + database + cpu_seconds(listener.process_id)

            product = Server(port, "/dicomweb", dicom_port, spent, reading, storing)
            (Path(name) / "orthanc").mkdir()
            with orthanc.run(Path(name) / "orthanc", _CALLED) as other:
                servers = {"product": product, "orthanc": other}
                yield _Scene(servers, card_number, person_id, running.product_url)


def _wait_for(port: int) -> None:
    """:raises OSError: nobody listens there within a minute."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=20).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise TimeoutError


def _register(config: Config, dicom_port: int) -> tuple[dict[str, str], dict[str, str], str, UUID]:
    """Headers of a patient and of a hospital's archive, the patient's card number and person. Commits."""
    public = json.loads(ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key()))
    with db.transaction() as session:
        hospital_id = accounts.register_hospital(session, SYSTEM, code="BENCH1", name="第一测试医院", level=3)
        described = accounts.DicomPort(dicom_port, _CALLED, (_CALLING,))
        accounts.open_dicom_port(session, SYSTEM, hospital_id=hospital_id, port=described)
        actor, card_number, person_id = town.register_owner(session, config, random.Random(1), 1)
        machine_id = accounts.register_client(
            session,
            SYSTEM,
            hospital_id=hospital_id,
            client_id="bench-archive",
            name="影像系统",
            jwks={"keys": [public | {"kid": "bench", "alg": "ES256", "use": "sig"}]},
            scopes=["dicomweb.write"],
        )
        reading = tokens.issue_token(
            session,
            issuer=config.base_url,
            subject_kind="patient",
            subject_id=actor.id,
            life=tokens.PATIENT_LIFE,
            session_id=actor.session_id,
        )
        storing = tokens.issue_token(
            session,
            issuer=config.base_url,
            subject_kind="machine",
            subject_id=machine_id,
            life=tokens.PATIENT_LIFE,
            scopes=("dicomweb.write",),
        )
    db.orm.session.remove()
    db.orm.engine.dispose()
    return _bearer(reading.text), _bearer(storing.text), card_number, person_id


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _make_study(card_number: str, slices: int = SLICES, rows: int = ROWS) -> tuple[_Study, bytes]:
    """A study of the patient, and the request body that stores it."""
    study, files = _make_files(card_number, slices, rows)
    return study, _write_body(files)


def _make_files(card_number: str, slices: int = SLICES, rows: int = ROWS) -> tuple[_Study, list[bytes]]:
    """A study of the patient, and its files."""
    study, series = generate_uid(), generate_uid()
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "IssuerOfPatientID"):
        if keyword in image:
            delattr(image, keyword)
    image.PatientID, image.StudyInstanceUID, image.SeriesInstanceUID = card_number, study, series
    image.Rows = image.Columns = rows
    files = []
    for number in range(1, slices + 1):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.InstanceNumber, image.PixelData = number, secrets.token_bytes(rows) * 2 * rows
        out = io.BytesIO()
        pydicom.dcmwrite(out, image)
        files.append((str(image.SOPInstanceUID), out.getvalue()))
    return _Study(study, series, [uid for uid, _ in files]), [content for _, content in files]


def _write_body(files: Sequence[bytes]) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + content + b"\r\n" for content in files) + f"--{_BOUNDARY}--\r\n".encode()


def _add_studies(scene: _Scene) -> None:
    for _ in range(STUDIES_OF_PATIENT):
        body = _make_study(scene.card_number, slices=1, rows=16)[1]
        for server in scene.servers.values():
            server.ask("POST", "/studies", server.storing | _STORE, body)


def _fill(scene: _Scene) -> None:
    """Many other studies: rows in the product's index, small files in Orthanc."""
    with filling.connect(scene.database_url) as connection:
        hospital = connection.execute("SELECT id FROM hospitals LIMIT 1").fetchone()
        assert hospital is not None
        asked = {"hospital_id": hospital[0], "person_id": scene.person_id, "studies": STUDIES}
        connection.execute(_FILL, asked)
        connection.execute("ANALYZE studies")
    bodies = [_make_study(scene.card_number, slices=1, rows=16)[1] for _ in range(STUDIES_OF_ORTHANC)]
    for body in bodies:
        scene.servers["orthanc"].ask("POST", "/studies", _STORE, body)
