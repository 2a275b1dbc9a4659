"""Ports of hospitals: the operator opens them, the security administrator says which certificates are trusted."""

import hashlib
import io
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from accounts import service as accounts
from accounts.models import Role
from core import db
from core.audit import AuditEntry
from core.ids import new_id
from tests.support.administration import Desk, code_of
from tests.support.browsing import Browser
from tests.support.certificates import Certificate
from tests.support.city import City, Hospital

FOR_IMAGES = {"called_ae_title": "YIMATONG", "calling_ae_titles": ["PACS", "CT 1"]}
REPLY = {"reply_host": "pacs.example", "reply_port": 11112}
TITLES_TYPED = {"called_ae_title": "YIMATONG", "calling_ae_titles": "PACS，CT 1"}
CODES = {
    "mllp": (
        "accounts.mllp_port_not_open",
        "accounts.mllp_port_taken",
        "accounts.mllp_certificate_not_found",
        "accounts.mllp_last_certificate",
    ),
    "dicom": (
        "accounts.dicom_port_not_open",
        "accounts.dicom_port_taken",
        "accounts.dicom_certificate_not_found",
        "accounts.dicom_last_certificate",
    ),
}


@dataclass(frozen=True)
class Kind:
    """What is sent to a port, and what is said of a port beside its number."""

    name: str
    described: dict[str, Any]
    typed: dict[str, str]
    on_page: tuple[str, ...]
    taken_on_page: str

    def root(self, hospital: Hospital) -> str:
        """Where the ports of this kind begin."""
        return f"/hospitals/{hospital.id}/{self.name}"

    def codes(self) -> tuple[str, str, str, str]:
        """Not open, taken, certificate not found, last certificate."""
        return CODES[self.name]

    def other(self) -> "Kind":
        """The kind that draws on the same numbers."""
        return IMAGES if self is MESSAGES else MESSAGES


MESSAGES = Kind("mllp", {}, {}, (), "该端口已属于另一机构")
IMAGES = Kind("dicom", FOR_IMAGES, TITLES_TYPED, ("<code>CT 1</code>", "在原连接上答复"), "该端口已被占用")


@pytest.fixture(params=[MESSAGES, IMAGES], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


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


def open_port(desk: Desk, kind: Kind, hospital: Hospital, port: int, **described: Any) -> TestResponse:
    return desk.ask("PUT", f"{kind.root(hospital)}-port", port=port, **kind.described | described)


def shown(desk: Desk, kind: Kind, hospital: Hospital) -> dict[str, Any]:
    ports = desk.ask("GET", f"/{kind.name}-ports").json["ports"]
    return next(dict(each) for each in ports if each["hospital_id"] == str(hospital.id))


def listens(kind: Kind, port: int) -> bool:
    with db.transaction() as session:
        return port in (accounts.list_mllp_ports(session) if kind is MESSAGES else accounts.list_dicom_lines(session))


def identify(calling: str, fingerprint: bytes | None = None) -> bool:
    with db.transaction() as session:
        return accounts.identify_dicom_port(session, port=21_001, calling=calling, fingerprint=fingerprint) is not None


def pem(folder: Path, name: str = "lis", days: int = 1) -> str:
    return Certificate(folder, name, days=days).files[0].read_text()


def fingerprint_of(certificate: str) -> bytes:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()


def test_a_port_is_opened_secured_renewed_and_closed(
    kind: Kind, operator: Desk, security: Desk, hospital: Hospital, tmp_path: Path
) -> None:
    root, (_, _, not_found, last_one) = kind.root(hospital), kind.codes()
    assert open_port(operator, kind, hospital, 20_001).status_code == 204
    assert (shown(security, kind, hospital)["certificates"], listens(kind, 20_001)) == ([], True)
    first, second = pem(tmp_path), pem(tmp_path, "lis-2027")
    for certificate in (first, second):
        assert security.ask("POST", f"{root}-certificates", certificate=certificate).status_code == 204
    port = shown(operator, kind, hospital)
    assert (port["port"], port["is_enabled"]) == (20_001, True)
    told = [(each["subject"], each["fingerprint"], each["is_expired"]) for each in port["certificates"]]
    assert told == [
        ("CN=lis", fingerprint_of(first).hex(), False),
        ("CN=lis-2027", fingerprint_of(second).hex(), False),
    ]
    removing = f"{root}-certificates/{fingerprint_of(first).hex()}"
    assert security.ask("DELETE", removing).status_code == 204
    assert code_of(security.ask("DELETE", removing)) == (404, not_found)
    last = f"{root}-certificates/{fingerprint_of(second).hex()}"
    assert code_of(security.ask("DELETE", last)) == (409, last_one)
    for _ in range(2):
        assert operator.ask("POST", f"{root}-port/close").status_code == 204
    assert (shown(operator, kind, hospital)["is_enabled"], listens(kind, 20_001)) == (False, False)
    assert security.ask("DELETE", last).status_code == 204
    with db.transaction() as session:
        acts = select(AuditEntry.action, AuditEntry.actor_id).where(AuditEntry.object_id == hospital.id)
        of_kind = acts.where(AuditEntry.action.like(f"accounts.{kind.name}\\_%"))
        done = session.execute(of_kind.order_by(AuditEntry.id)).tuples().all()
    by_operator, by_security = operator.staff.actor.id, security.staff.actor.id
    assert done == [
        (f"accounts.{kind.name}_port.opened", by_operator),
        (f"accounts.{kind.name}_certificate.trusted", by_security),
        (f"accounts.{kind.name}_certificate.trusted", by_security),
        (f"accounts.{kind.name}_certificate.removed", by_security),
        (f"accounts.{kind.name}_port.closed", by_operator),
        (f"accounts.{kind.name}_certificate.removed", by_security),
    ]


def test_what_cannot_be_is_refused_and_changes_nothing(
    kind: Kind, city: City, operator: Desk, security: Desk, hospital: Hospital, tmp_path: Path
) -> None:
    root, other, (not_open, taken, _, _) = kind.root(hospital), city.hospital(), kind.codes()
    assert code_of(operator.ask("POST", f"{root}-port/close")) == (404, not_open)
    unopened = security.ask("POST", f"{root}-certificates", certificate=pem(tmp_path))
    assert code_of(unopened) == (404, not_open)
    open_port(operator, kind, hospital, 20_002)
    assert open_port(operator, kind, hospital, 20_002).status_code == 204
    assert code_of(open_port(operator, kind, other, 20_002)) == (409, taken)
    # A number is for messages or for images, also at one hospital.
    assert open_port(operator, kind.other(), other, 20_003).status_code == 204
    for one in (hospital, other):
        assert code_of(open_port(operator, kind, one, 20_003)) == (409, taken)
    assert code_of(operator.ask("PUT", f"/hospitals/{new_id()}/{kind.name}-port", port=20_004, **kind.described)) == (
        404,
        "accounts.hospital_not_found",
    )
    assert code_of(open_port(operator, kind, hospital, 80)) == (422, "core.malformed_request")
    over = security.ask("POST", f"{root}-certificates", certificate=pem(tmp_path, days=-1))
    assert code_of(over) == (422, "accounts.certificate_expired")
    unread = security.ask("POST", f"{root}-certificates", certificate="-----BEGIN CERTIFICATE-----")
    assert code_of(unread) == (422, "accounts.certificate_unreadable")
    # Who opens ports trusts no certificates, and the other way round.
    assert code_of(open_port(security, kind, hospital, 20_005)) == (403, "core.permission_missing")
    mine = operator.ask("POST", f"{root}-certificates", certificate=pem(tmp_path))
    assert code_of(mine) == (403, "core.permission_missing")
    port = shown(operator, kind, hospital)
    assert (port["port"], port["certificates"]) == (20_002, [])


def test_a_port_for_images_lets_in_whom_it_names(
    operator: Desk, security: Desk, hospital: Hospital, tmp_path: Path
) -> None:
    assert open_port(operator, IMAGES, hospital, 21_001, **REPLY).status_code == 204
    described = FOR_IMAGES | REPLY
    assert {name: shown(security, IMAGES, hospital)[name] for name in described} == described
    assert (identify("PACS"), identify("CT 1"), identify("XY"), identify("PACS", b"x")) == (True, True, False, False)
    certificate = pem(tmp_path, "pacs")
    sent = security.ask("POST", f"{IMAGES.root(hospital)}-certificates", certificate=certificate)
    assert sent.status_code == 204
    known = fingerprint_of(certificate)
    assert (identify("PACS"), identify("PACS", known), identify("PACS", b"x")) == (False, True, False)
    assert operator.ask("POST", f"{IMAGES.root(hospital)}-port/close").status_code == 204
    assert identify("PACS", known) is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"called_ae_title": "SEVENTEEN LETTERS"},
        {"calling_ae_titles": []},
        {"calling_ae_titles": ["A\\B"]},
        {"reply_host": "pacs.example"},
        {"reply_host": "pacs example", "reply_port": 104},
    ],
    ids=["long", "nobody", "backslash", "half a reply", "no host"],
)
def test_a_port_for_images_is_described_as_dicom_says(
    operator: Desk, hospital: Hospital, wrong: dict[str, Any]
) -> None:
    assert code_of(open_port(operator, IMAGES, hospital, 21_001, **wrong)) == (422, "core.malformed_request")
    assert not listens(IMAGES, 21_001)


def test_the_page_offers_each_role_its_own_part(
    kind: Kind, city: City, desks: dict[Role, Desk], hospital: Hospital, tmp_path: Path
) -> None:
    operator, security = Browser(city.app), Browser(city.app)
    operator.sign_in(desks[Role.OPERATOR].staff)
    security.sign_in(desks[Role.SECURITY_ADMINISTRATOR].staff)
    place = f"/operator/{kind.name}"
    operator.get(place)
    form = {"hospital_code": hospital.code, "port": "20006"} | kind.typed
    assert operator.post(place, form).status_code == 303
    page = operator.get(place).text
    for word in ("市第一测试医院", "端口 20006", "已开通", "未加密", "关闭端口", *kind.on_page):
        assert word in page
    assert "登记证书</button>" not in page
    again = operator.post(place, form | {"hospital_code": city.hospital().code})
    assert (again.status_code, kind.taken_on_page in again.text) == (409, True)
    security.get(place)
    certificate = pem(tmp_path)
    here = f"{place}/{hospital.id}/certificates"
    sent = {"certificate": (io.BytesIO(certificate.encode()), "lis.pem")}
    assert security.post(here, sent, content_type="multipart/form-data").status_code == 303
    page = security.get(place).text
    assert "CN=lis" in page
    assert fingerprint_of(certificate).hex() in re.sub(r"<[^>]+>|\s", "", page)
    assert "未加密" not in page[page.index("市第一测试医院") :].split("</section>")[0]
    empty = security.post(here, {}, content_type="multipart/form-data")
    assert (empty.status_code, "证书无法识别" in empty.text) == (422, True)
    last = security.post(f"{here}/{fingerprint_of(certificate).hex()}/remove", {})
    assert (last.status_code, "最后一张证书" in last.text) == (409, True)
    assert operator.post(f"{place}/{hospital.id}/close", {}).status_code == 303
    assert "已关闭" in operator.get(place).text
