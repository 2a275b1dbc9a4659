"""HL7 v2 ports: the operator opens them, the security administrator says which certificates are trusted."""

import hashlib
import io
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from accounts import service as accounts
from accounts.models import Role
from core import db
from core.audit import AuditEntry
from core.ids import new_id
from tests.support.administration import Desk, code_of
from tests.support.browsing import Browser
from tests.support.certificates import Certificate
from tests.support.city import City, Hospital


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
    ports = desk.ask("GET", "/mllp-ports").json["ports"]
    return next(dict(each) for each in ports if each["hospital_id"] == str(hospital.id))


def pem(folder: Path, name: str = "lis", days: int = 1) -> str:
    return Certificate(folder, name, days=days).files[0].read_text()


def fingerprint_of(certificate: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def test_a_port_is_opened_secured_renewed_and_closed(
    operator: Desk, security: Desk, hospital: Hospital, tmp_path: Path
) -> None:
    root = f"/hospitals/{hospital.id}"
    assert operator.ask("PUT", f"{root}/mllp-port", port=20_001).status_code == 204
    assert shown(security, hospital)["certificates"] == []
    first, second = pem(tmp_path), pem(tmp_path, "lis-2027")
    for certificate in (first, second):
        assert security.ask("POST", f"{root}/mllp-certificates", certificate=certificate).status_code == 204
    port = shown(operator, hospital)
    assert (port["port"], port["is_enabled"]) == (20_001, True)
    told = [(each["subject"], each["fingerprint"], each["is_expired"]) for each in port["certificates"]]
    assert told == [("CN=lis", fingerprint_of(first), False), ("CN=lis-2027", fingerprint_of(second), False)]
    removing = f"{root}/mllp-certificates/{fingerprint_of(first)}"
    assert security.ask("DELETE", removing).status_code == 204
    assert code_of(security.ask("DELETE", removing)) == (404, "accounts.mllp_certificate_not_found")
    last = f"{root}/mllp-certificates/{fingerprint_of(second)}"
    assert code_of(security.ask("DELETE", last)) == (409, "accounts.mllp_last_certificate")
    for _ in range(2):
        assert operator.ask("POST", f"{root}/mllp-port/close").status_code == 204
    assert shown(operator, hospital)["is_enabled"] is False
    assert security.ask("DELETE", last).status_code == 204
    with db.transaction() as session:
        assert 20_001 not in accounts.list_mllp_ports(session)
        acts = select(AuditEntry.action, AuditEntry.actor_id).where(AuditEntry.object_id == hospital.id)
        done = session.execute(acts.where(AuditEntry.action.like("%.mllp_%")).order_by(AuditEntry.id)).tuples().all()
    by_operator, by_security = operator.staff.actor.id, security.staff.actor.id
    assert done == [
        ("accounts.mllp_port.opened", by_operator),
        ("accounts.mllp_certificate.trusted", by_security),
        ("accounts.mllp_certificate.trusted", by_security),
        ("accounts.mllp_certificate.removed", by_security),
        ("accounts.mllp_port.closed", by_operator),
        ("accounts.mllp_certificate.removed", by_security),
    ]


def test_what_cannot_be_is_refused_and_changes_nothing(
    city: City, operator: Desk, security: Desk, hospital: Hospital, tmp_path: Path
) -> None:
    root, other = f"/hospitals/{hospital.id}", city.hospital()
    assert code_of(operator.ask("POST", f"{root}/mllp-port/close")) == (404, "accounts.mllp_port_not_open")
    operator.ask("PUT", f"{root}/mllp-port", port=20_002)
    taken = operator.ask("PUT", f"/hospitals/{other.id}/mllp-port", port=20_002)
    assert code_of(taken) == (409, "accounts.mllp_port_taken")
    nobody = operator.ask("PUT", f"/hospitals/{new_id()}/mllp-port", port=20_003)
    assert code_of(nobody) == (404, "accounts.hospital_not_found")
    assert code_of(operator.ask("PUT", f"{root}/mllp-port", port=80)) == (422, "core.malformed_request")
    over = security.ask("POST", f"{root}/mllp-certificates", certificate=pem(tmp_path, days=-1))
    assert code_of(over) == (422, "accounts.certificate_expired")
    unread = security.ask("POST", f"{root}/mllp-certificates", certificate="-----BEGIN CERTIFICATE-----")
    assert code_of(unread) == (422, "accounts.certificate_unreadable")
    # Who opens ports trusts no certificates, and the other way round.
    assert code_of(security.ask("PUT", f"{root}/mllp-port", port=20_004)) == (403, "core.permission_missing")
    mine = operator.ask("POST", f"{root}/mllp-certificates", certificate=pem(tmp_path))
    assert code_of(mine) == (403, "core.permission_missing")
    assert (shown(operator, hospital)["port"], shown(operator, hospital)["certificates"]) == (20_002, [])


def test_the_page_offers_each_role_its_own_part(
    city: City, desks: dict[Role, Desk], hospital: Hospital, tmp_path: Path
) -> None:
    operator, security = Browser(city.app), Browser(city.app)
    operator.sign_in(desks[Role.OPERATOR].staff)
    security.sign_in(desks[Role.SECURITY_ADMINISTRATOR].staff)
    assert operator.post("/operator/mllp", {"hospital_code": hospital.code, "port": "20005"}).status_code == 303
    page = operator.get("/operator/mllp").text
    for word in ("市第一测试医院", "端口 20005", "已开通", "未加密", "关闭端口"):
        assert word in page
    assert "登记证书</button>" not in page
    again = operator.post("/operator/mllp", {"hospital_code": city.hospital().code, "port": "20005"})
    assert (again.status_code, "该端口已属于另一机构" in again.text) == (409, True)
    security.get("/operator/mllp")
    certificate = pem(tmp_path)
    here = f"/operator/mllp/{hospital.id}/certificates"
    sent = {"certificate": (io.BytesIO(certificate.encode()), "lis.pem")}
    assert security.post(here, sent, content_type="multipart/form-data").status_code == 303
    page = security.get("/operator/mllp").text
    assert "CN=lis" in page
    assert fingerprint_of(certificate) in re.sub(r"<[^>]+>|\s", "", page)
    assert "未加密" not in page[page.index("市第一测试医院") :].split("</section>")[0]
    empty = security.post(here, {}, content_type="multipart/form-data")
    assert (empty.status_code, "证书无法识别" in empty.text) == (422, True)
    last = security.post(f"{here}/{fingerprint_of(certificate)}/remove", {})
    assert (last.status_code, "最后一张证书" in last.text) == (409, True)
