"""A list is checked, then filed; each in its own step, and however often without doubles."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from accounts.models import Role
from core import db, storage
from core.outbox import OutboxMessage
from records.uploads import jobs
from records.uploads.columns import ERRORS
from records.uploads.models import Upload
from tests.support.browsing import Browser
from tests.support.channels import ROW, House, write_upload
from tests.support.city import City, Patient, bearer


@pytest.fixture
def house(city: City) -> House:
    return House(city)


@pytest.fixture
def patient(city: City, house: House) -> Patient:
    patient = city.patient()
    city.bind_number(house.hospital, patient, "P1")
    return patient


def row(**said: str) -> dict[str, str]:
    return ROW | {"report_number": "R1"} | said


def timeline(city: City, patient: Patient) -> list[dict[str, Any]]:
    return list(city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_list_is_checked_and_only_then_filed(city: City, house: House, patient: Patient, encoding: str) -> None:
    document = write_upload(
        row(conclusion="未见异常"),
        row(item_name="C反应蛋白", result="≤0.5", unit="mg/L", reference="", flag=""),
        row(item_name="血型", result="A型", unit="", reference="", flag="正常"),
        row(report_number="R2", report_name="尿常规", category="检验"),
        encoding=encoding,
    )
    upload = house.upload(document)
    assert (upload["state"], upload["rows_total"], upload["errors"]) == ("checked", 4, [])
    assert upload["reports"] == {"ready": 2}
    assert timeline(city, patient) == []
    assert house.commit(upload["id"]).status_code == 202
    assert house.read(upload["id"])["reports"] == {"filed": 2}
    items = {item["title"]: item for item in timeline(city, patient)}
    assert items.keys() == {"血常规", "尿常规"}
    shown = city.client.get(f"/api/v1/reports/{items['血常规']['object_id']}", headers=bearer(patient.token)).json
    first, second, third = shown["observations"]
    assert (first["value"], first["unit"], first["interpretation"]) == ("5.10", "g/L", "H")
    assert (Decimal(first["reference_low"]), Decimal(first["reference_high"])) == (Decimal("3.9"), Decimal("6.1"))
    assert (second["comparator"], second["value"], third["text"]) == ("<=", "0.5", "A型")
    assert (shown["conclusion"], shown["status"]) == ("未见异常", "final")
    assert shown["performed_at"] == "2026-03-05T00:30:00Z"


def test_the_same_again_files_nothing_twice_and_a_correction_is_a_version(
    city: City, house: House, patient: Patient
) -> None:
    upload = house.upload(write_upload(row()))
    house.commit(upload["id"])
    assert house.upload(write_upload(row()))["id"] == upload["id"]
    assert house.commit(upload["id"]).status_code == 202
    # The same rows in a list that has grown, and one of them corrected.
    grown = house.upload(write_upload(row(), row(report_number="R2")))
    house.commit(grown["id"])
    assert house.read(grown["id"])["reports"] == {"same": 1, "filed": 1}
    corrected = house.upload(write_upload(row(result="4.10", status="更正")))
    house.commit(corrected["id"])
    items = timeline(city, patient)
    assert sorted(item["status"] for item in items) == ["corrected", "final"]
    result = city.client.get(f"/api/v1/uploads/{corrected['id']}/result.csv", headers=bearer(house.registrar.token))
    (line,) = csv.DictReader(io.StringIO(result.data.decode("utf-8-sig")))
    assert (line["报告编号"], line["结果"], line["版本"]) == ("R1", "已归档", "2")


BAD_ROWS = [
    ({"name": ""}, "姓名", "missing"),
    ({"report_number": "示例-0001"}, "报告编号", "example"),
    ({"result": "=1+1"}, "结果", "formula"),
    ({"item_name": "项" * 101}, "项目名称", "too_long"),
    ({"name": "张\x07三"}, "姓名", "bad_character"),
    ({"performed_at": "2026-13-05"}, "采样时间", "bad_date"),
    ({"performed_at": "3026-03-05"}, "采样时间", "bad_date"),
    ({"flag": "很高"}, "异常标志", "bad_word"),
    ({"sex": "女性"}, "性别", "bad_word"),
    ({"result": "9" * 40}, "结果", "bad_number"),
    ({"patient_number": ""}, "患者号", "number_missing"),
    ({"patient_number": "P9"}, "", "person_not_matched"),
    ({"name": "李大海"}, "姓名", "person_contradicts"),
    ({"birth_date": "19850413"}, "姓名", "person_contradicts"),
]


def test_every_error_is_told_with_its_line_and_column(city: City, house: House, patient: Patient) -> None:
    bad = [row(report_number=f"B{number}") | said for number, (said, _, _) in enumerate(BAD_ROWS)]
    together = [row(report_number="T"), row(report_number="T", name="李四"), row(report_number="T", item_name="白细胞")]
    upload = house.upload(write_upload(row(), *bad, *together))
    told = [(error["line"], error["column"], error["code"]) for error in upload["errors"]]
    assert told == [
        *((line, column, code) for line, (_, column, code) in enumerate(BAD_ROWS, start=3)),
        (len(BAD_ROWS) + 4, "姓名", "differs_in_report"),
        (len(BAD_ROWS) + 4, "项目名称", "repeated_item"),
    ]
    assert all(error["advice"] == ERRORS[error["code"]] for error in upload["errors"])
    refused = house.commit(upload["id"])
    assert (refused.status_code, refused.json["code"]) == (409, "records.upload_has_errors")
    assert timeline(city, patient) == []
    house.commit(upload["id"], leaves_out_errors=True)
    assert house.read(upload["id"])["reports"] == {"filed": 1, "left_out": len(BAD_ROWS) + 1}
    assert len(timeline(city, patient)) == 1


def test_only_staff_of_the_house_sees_an_upload(city: City, house: House, patient: Patient) -> None:
    upload = house.upload(write_upload(row()))
    other, doctor = city.staff(city.hospital(), Role.REGISTRAR), city.staff(house.hospital)
    address = f"/api/v1/uploads/{upload['id']}"
    for reply in (
        city.client.get(address, headers=bearer(other.token)),
        city.client.get(f"{address}/result.csv", headers=bearer(other.token)),
        city.client.post(f"{address}/commit", json={}, headers=bearer(other.token)),
    ):
        assert (reply.status_code, reply.json["code"]) == (404, "records.upload_not_found")
    listed = city.client.get("/api/v1/uploads", headers=bearer(doctor.token)).json["uploads"]
    assert [each["id"] for each in listed] == [upload["id"]]
    machine = city.client.get("/api/v1/uploads", headers=bearer(house.machine.token))
    assert machine.json["code"] == "core.permission_missing"


def test_what_nobody_confirmed_is_gone_after_a_day(house: House, patient: Patient) -> None:
    upload = house.upload(write_upload(row()))
    with db.transaction() as session:
        kept = session.get_one(Upload, upload["id"])
        address, key = kept.storage_key, kept.data_key
        due = select(OutboxMessage.due_at).where(OutboxMessage.payload["upload_id"].astext == upload["id"])
        assert session.scalars(due).all() == [kept.created_at + timedelta(hours=24)]
    assert key is not None
    with storage.open_file(address, key) as stream:
        assert "血红蛋白".encode() in stream.read()
    jobs.expire_list({"upload_id": upload["id"]})
    jobs.expire_list({"upload_id": upload["id"]})
    with pytest.raises(storage.FileDamaged):
        storage.open_file(address, key)
    refused = house.commit(upload["id"])
    assert (refused.status_code, refused.json["code"]) == (409, "records.upload_expired")
    assert house.upload(write_upload(row()))["id"] != upload["id"]


def test_the_page_shows_errors_and_takes_the_confirmation(city: City, house: House, patient: Patient) -> None:
    browser = Browser(city.app)
    browser.sign_in(house.registrar)
    assert "还没有上传" in browser.get("/uploads").text
    wrong = browser.post("/uploads", {"list": (io.BytesIO("甲,乙\n1,2\n".encode()), "list.csv")})
    assert (wrong.status_code, "缺少的列：报告编号" in wrong.text) == (422, True)
    document = write_upload(row(), row(report_number="R2", result=""))
    sent = browser.post("/uploads", {"list": (io.BytesIO(document), "list.csv")})
    assert sent.status_code == 303
    page = browser.get(sent.location).text
    assert "必填，不能为空" in page
    assert "提交其余 1 份" in page
    assert browser.post(f"{sent.location}/commit", {"leaves_out_errors": "true"}).status_code == 303
    jobs.file_list({"upload_id": sent.location.rsplit("/", 1)[1]})
    assert "已完成" in browser.get(sent.location).text
    again = browser.post("/uploads", {"list": (io.BytesIO(b""), "")})
    assert "records.upload_unreadable" in again.text
