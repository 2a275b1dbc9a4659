"""The demo city: four hospitals, their people and systems, four patients. Made once an installation, at random.

Run as ``python -m simulator.city`` with the environment of ``make run``; only the demo profile has one. It uses the
services themselves: nobody is signed in yet who could admit a hospital.
"""

from core import starting  # isort: split

import json
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm
from sqlalchemy.orm import Session

from accounts import service as accounts
from accounts.models import Role
from accounts.roles import SCOPE_PERMISSIONS
from accounts.wechat import WechatIdentity
from app import create_app, make_ready
from core import clock, db
from core.actor import SYSTEM
from core.config import Config, read_config
from core.embedded.process import find_port
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate
from health_card.tencent import service as tencent
from payments import service as payments
from payments.service import ProductTerms
from recognition import service as recognition
from simulator.control import Control
from simulator.people import SyntheticPerson, invent_person

starting.end()

HOSPITALS = [("市第一测试医院", 3), ("市第二测试医院", 2), ("测试区卫生院", 1), ("市测试妇幼保健院", 2)]
ADMINISTRATORS = [
    (Role.OPERATOR, "测试平台管理员"),
    (Role.SECURITY_ADMINISTRATOR, "测试安全管理员"),
    (Role.AUDIT_ADMINISTRATOR, "测试审计管理员"),
]
STAFF = [(Role.REGISTRAR, "测试登记员"), (Role.DOCTOR, "测试医生"), (Role.MEDICAL_AFFAIRS, "测试医务科")]
# LOINC code, name, validity in days, price in fen.
CATALOGUE = [("718-7", "血红蛋白", 7, 300), ("6690-2", "白细胞计数", 3, 300), ("1558-6", "空腹血糖", 3, 600)]
CREDIT_TERMS = ProductTerms(
    name="信用就医（演示）",
    provider="测试银行",
    limit_fen=300_000,
    interest_free_days=56,
    statement_day=1,
    due_day=20,
    agreement_version="2026-1",
    agreement_text="演示协议：先诊疗，后付费。额度与期限以产品为准。",
)
PATIENTS = [
    ("张测试", "19850412", True),
    ("李测试", "19910228", False),
    ("王测试", "20100606", False),
    ("赵测试", "19480920", True),
]


def main() -> int:
    """Prepare the database, make the city, or bring its addresses up to date when it is there. Returns the exit code.

    Both in one process: reading the application takes longer than either.
    """
    config = read_config(os.environ)
    if config.profile != "demo":
        print("simulator.city: only the demo profile has a demo city", file=sys.stderr)
        return 2
    control = Control(os.environ["SIMULATOR_BASE_URL"], os.environ["SIMULATOR_TOKEN"])
    credentials_file = Path(os.environ["CREDENTIALS_FILE"])
    with create_app(config).app_context():
        make_ready()
        _open_city(config, control, credentials_file)
    return 0


def _open_city(config: Config, control: Control, credentials_file: Path) -> None:
    with db.transaction() as session:
        kept = _read_kept(session, credentials_file)
        city = kept or _make_city(session, config)
        _open_hospitals(session, config, city)
        city |= {
            "base_url": config.base_url,
            "simulator": {"base_url": control.base_url, "token": os.environ["SIMULATOR_TOKEN"]},
        }
        # One hospital's old system speaks the interface that it always spoke.
        if "tencent" not in city["hospitals"][0]:
            issued = tencent.switch_on(session, SYSTEM, hospital_code=city["hospitals"][0]["code"])
            city["hospitals"][0]["tencent"] = asdict(issued)
        for patient in city["patients"]:
            control.register_phone(patient["wx_code"], patient["openid"])
        # Written before the commit: if that fails, the next start finds no such hospitals and begins anew.
        _write_private(credentials_file, city)


def _read_kept(session: Session, credentials_file: Path) -> dict[str, Any] | None:
    if not credentials_file.exists():
        return None
    city: dict[str, Any] = json.loads(credentials_file.read_text())
    codes = [hospital["code"] for hospital in city["hospitals"]]
    return city if len(accounts.find_hospitals_by_code(session, codes)) == len(codes) else None


def _make_city(session: Session, config: Config) -> dict[str, Any]:
    city: dict[str, Any] = {"hospitals": [], "staff": list(_hire(session, None, None, ADMINISTRATORS))}
    _open_hospitals(session, config, city)
    _open_catalogue(session, [hospital["code"] for hospital in city["hospitals"]])
    payments.create_product(session, SYSTEM, code="demo-credit", terms=CREDIT_TERMS)
    people = [invent_person(name, born=born, is_male=is_male) for name, born, is_male in PATIENTS]
    return city | {"patients": [_register(session, config, person) for person in people]}


def _open_hospitals(session: Session, config: Config, city: dict[str, Any]) -> None:
    """All that the city does not have yet: an older one had fewer."""
    for name, level in HOSPITALS[len(city["hospitals"]) :]:
        hospital = _open_hospital(session, config, name, level)
        city["hospitals"].append(hospital)
        hospital_id = accounts.find_hospitals_by_code(session, [hospital["code"]])[0].id
        city["staff"] += _hire(session, hospital_id, name, STAFF)


def _open_catalogue(session: Session, codes: list[str]) -> None:
    today = clock.in_city(clock.now()).date()
    for code, name, validity_days, amount_fen in CATALOGUE:
        item_id = recognition.add_item(
            session,
            SYSTEM,
            code=code,
            name=name,
            category="laboratory",
            scope="测试市",
            validity_days=validity_days,
            amount_fen=amount_fen,
        )
        for hospital in accounts.find_hospitals_by_code(session, codes):
            recognition.qualify_hospital(
                session,
                SYSTEM,
                hospital_id=hospital.id,
                item_id=item_id,
                valid_from=today - timedelta(days=90),
                valid_until=today + timedelta(days=275),
            )


def _open_hospital(session: Session, config: Config, name: str, level: int) -> dict[str, Any]:
    code = f"9937{secrets.randbelow(10**8):08d}"
    hospital_id = accounts.register_hospital(session, SYSTEM, code=code, name=name, level=level)
    for terminal, kind in (("W01", "01"), ("W02", "01"), ("K01", "02")):
        accounts.enrol_terminal(session, SYSTEM, hospital_id=hospital_id, code=terminal, kind=kind)
    port = find_port()
    accounts.open_mllp_port(session, SYSTEM, hospital_id=hospital_id, port=port)
    private = json.loads(ECAlgorithm.to_jwk(generate_private_key(SECP256R1())))
    private |= {"kid": secrets.token_hex(8), "alg": "ES256", "use": "sig"}
    client_id = f"{code}-systems"
    accounts.register_client(
        session,
        SYSTEM,
        hospital_id=hospital_id,
        client_id=client_id,
        name="医院信息系统",
        jwks={"keys": [{key: value for key, value in private.items() if key != "d"}]},
        scopes=sorted(SCOPE_PERMISSIONS),
    )
    return {
        "name": name,
        "code": code,
        "client_id": client_id,
        "private_jwk": private,
        "scopes": sorted(SCOPE_PERMISSIONS),
        "terminals": ["W01", "W02", "K01"],
        "mllp_host": config.mllp_host,
        "mllp_port": port,
    }


def _hire(
    session: Session, hospital_id: Any, hospital: str | None, roles: list[tuple[Role, str]]
) -> Iterator[dict[str, Any]]:
    for role, name in roles:
        username, password = f"{role.value}-{secrets.token_hex(2)}", secrets.token_urlsafe(12)
        accounts.hire_staff(
            session,
            SYSTEM,
            hospital_id=hospital_id,
            username=username,
            name=name,
            role=role,
            password=password,
            employee_number=username,
        )
        yield {"role": role.value, "hospital": hospital, "name": name, "username": username, "password": password}


def _register(session: Session, config: Config, person: SyntheticPerson) -> dict[str, Any]:
    openid = f"o{secrets.token_urlsafe(20)[:27]}"
    pair = accounts.sign_in_login(session, WechatIdentity(config.wechat_app_id, openid, None), issuer=config.base_url)
    actor = accounts.identify_bearer(session, pair.access.text, issuer=config.base_url)
    done = health_card.register_person(
        session,
        actor,
        details=health_card.Details(
            name=person.name,
            phone=person.phone,
            certificate=check_certificate(CertificateType.RESIDENT_ID, person.certificate_number),
        ),
    )
    return {
        "name": person.name,
        "wx_code": f"demo-{secrets.token_urlsafe(12)}",
        "openid": openid,
        "certificate_number": person.certificate_number,
        "phone": person.phone,
        "card_ids": [str(done.card.id)],
    }


def _write_private(path: Path, content: dict[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(content, stream, ensure_ascii=False, indent=1)
    fresh.replace(path)


if __name__ == "__main__":
    sys.exit(main())
