"""Ports for images: the operator opens them, the security administrator says which certificates are trusted."""

import hashlib
import io
import ssl
from pathlib import Path
from typing import Any

import pytest

from accounts import service as accounts
from accounts.models import Role
from core import db
from tests.support.administration import Desk, code_of
from tests.support.browsing import Browser
from tests.support.certificates import Certificate
from tests.support.city import City, Hospital

PORT = {"port": 21_001, "called_ae_title": "YIMATONG", "calling_ae_titles": ["PACS", "CT 1"]}
REPLY = {"reply_host": "pacs.example", "reply_port": 11112}


@pytest.fixture(scope="module")
def desks(module_city: City) -> dict[Role, Desk]:
    return {role: Desk(module_city, role) for role in (Role.OPERATOR, Role.SECURITY_ADMINISTRATOR)}


@pytest.fixture
def operator(desks: dict[Role, Desk], city: City) -> Desk:
    return desks[Role.OPERATOR]


@pytest.fixture
def security(desks: dict[Role, Desk], city: City) -> Desk:
    return desks[Role.SECURITY_ADMINISTRATOR]


@pytest.fixture
def hospital(city: City) -> Hospital:
    return city.hospital("市第一测试医院")


def shown(desk: Desk, hospital: Hospital) -> dict[str, Any]:
    ports = desk.ask("GET", "/dicom-ports").json["ports"]
    return next(dict(each) for each in ports if each["hospital_id"] == str(hospital.id))


def identify(calling: str, fingerprint: bytes | None = None) -> bool:
    with db.transaction() as session:
        return accounts.identify_dicom_port(session, port=21_001, calling=calling, fingerprint=fingerprint) is not None


def test_a_port_is_opened_secured_renewed_and_closed(
    operator: Desk, security: Desk, hospital: Hospital, tmp_path: Path
) -> None:
    root = f"/hospitals/{hospital.id}"
    assert operator.ask("PUT", f"{root}/dicom-port", **PORT, **REPLY).status_code == 204
    assert shown(security, hospital)["certificates"] == []
    assert {name: shown(security, hospital)[name] for name in (*PORT, *REPLY)} == PORT | REPLY
    assert (identify("PACS"), identify("CT 1"), identify("XY"), identify("PACS", b"x")) == (True, True, False, False)
    first, second = (Certificate(tmp_path, name).files[0].read_text() for name in ("pacs", "pacs-2027"))
    for certificate in (first, second):
        assert security.ask("POST", f"{root}/dicom-certificates", certificate=certificate).status_code == 204
    prints = [hashlib.sha256(ssl.PEM_cert_to_DER_cert(each)).digest() for each in (first, second)]
    assert (identify("PACS"), identify("PACS", prints[1]), identify("PACS", b"x")) == (False, True, False)
    removing = f"{root}/dicom-certificates/{prints[0].hex()}"
    assert security.ask("DELETE", removing).status_code == 204
    assert code_of(security.ask("DELETE", removing)) == (404, "accounts.dicom_certificate_not_found")
    last = f"{root}/dicom-certificates/{prints[1].hex()}"
    assert code_of(security.ask("DELETE", last)) == (409, "accounts.dicom_last_certificate")
    for _ in range(2):
        assert operator.ask("POST", f"{root}/dicom-port/close").status_code == 204
    assert (shown(operator, hospital)["is_enabled"], identify("PACS", prints[1])) == (False, False)
    assert security.ask("DELETE", last).status_code == 204


def test_what_cannot_be_is_refused_and_changes_nothing(
    city: City, operator: Desk, security: Desk, hospital: Hospital, tmp_path: Path
) -> None:
    root, other = f"/hospitals/{hospital.id}", f"/hospitals/{city.hospital().id}"
    assert code_of(operator.ask("POST", f"{root}/dicom-port/close")) == (404, "accounts.dicom_port_not_open")
    operator.ask("PUT", f"{root}/dicom-port", **PORT)
    assert code_of(operator.ask("PUT", f"{other}/dicom-port", **PORT)) == (409, "accounts.dicom_port_taken")
    # A number is for images or for HL7 v2.
    assert code_of(operator.ask("PUT", f"{other}/mllp-port", port=21_001)) == (409, "accounts.mllp_port_taken")
    operator.ask("PUT", f"{other}/mllp-port", port=21_002)
    taken = operator.ask("PUT", f"{root}/dicom-port", **PORT | {"port": 21_002})
    assert code_of(taken) == (409, "accounts.dicom_port_taken")
    wrong: list[dict[str, Any]] = [
        {"called_ae_title": "SEVENTEEN LETTERS"},
        {"calling_ae_titles": []},
        {"calling_ae_titles": ["A\\B"]},
        {"reply_host": "pacs.example"},
        {"reply_host": "pacs example", "reply_port": 104},
    ]
    for broken in wrong:
        refused = operator.ask("PUT", f"{root}/dicom-port", **PORT | broken)
        assert code_of(refused) == (422, "core.malformed_request"), broken
    mine = operator.ask(
        "POST", f"{root}/dicom-certificates", certificate=Certificate(tmp_path, "x").files[0].read_text()
    )
    assert code_of(mine) == (403, "core.permission_missing")
    assert code_of(security.ask("PUT", f"{root}/dicom-port", **PORT)) == (403, "core.permission_missing")
    assert shown(operator, hospital)["called_ae_title"] == "YIMATONG"


def test_the_page_offers_each_role_its_own_part(
    city: City, desks: dict[Role, Desk], hospital: Hospital, tmp_path: Path
) -> None:
    operator, security = Browser(city.app), Browser(city.app)
    operator.sign_in(desks[Role.OPERATOR].staff)
    security.sign_in(desks[Role.SECURITY_ADMINISTRATOR].staff)
    operator.get("/operator/dicom")
    form = {"hospital_code": hospital.code, "port": "21001", "called_ae_title": "YIMATONG"}
    assert operator.post("/operator/dicom", form | {"calling_ae_titles": "PACS，CT 1"}).status_code == 303
    page = operator.get("/operator/dicom").text
    for word in ("市第一测试医院", "端口 21001", "<code>CT 1</code>", "在原连接上答复", "未加密", "关闭端口"):
        assert word in page
    assert "登记证书</button>" not in page
    again = form | {"hospital_code": city.hospital().code, "calling_ae_titles": "PACS"}
    refused = operator.post("/operator/dicom", again)
    assert (refused.status_code, "该端口已被占用" in refused.text) == (409, True)
    security.get("/operator/dicom")
    sent = {"certificate": (io.BytesIO(Certificate(tmp_path, "pacs").files[0].read_bytes()), "pacs.pem")}
    here = f"/operator/dicom/{hospital.id}/certificates"
    assert security.post(here, sent, content_type="multipart/form-data").status_code == 303
    assert "CN=pacs" in security.get("/operator/dicom").text
