"""What the hospitals' systems send: FHIR Bundles, HL7 v2 messages, lists, DICOM images and their reports."""

import csv
import io
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pydicom

from simulator import phantom

HAEMOGLOBIN = "718-7"
_LOINC = "http://loinc.org"
_UCUM = "http://unitsofmeasure.org"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
CITY = timezone(timedelta(hours=8))

# LOINC code, name, value, unit, UCUM code, low, high, flag.
Line = tuple[str, str, float, str, str, float, float, str]

_BLOOD_COUNT: list[Line] = [
    ("6690-2", "白细胞计数", 11.2, "10^9/L", "10*9/L", 3.5, 9.5, "H"),
    (HAEMOGLOBIN, "血红蛋白", 128, "g/L", "g/L", 130, 175, "L"),
    ("777-3", "血小板计数", 236, "10^9/L", "10*9/L", 125, 350, "N"),
]


def blood_count_bundle(patient_number: str, hospital: dict[str, Any], visit_id: str | None) -> dict[str, Any]:
    """A transaction Bundle: one DiagnosticReport with its Observations."""
    return report_bundle(patient_number, hospital, visit_id, ("58410-2", "血常规"), _BLOOD_COUNT)


def report_bundle(
    patient_number: str,
    hospital: dict[str, Any],
    visit_id: str | None,
    panel: tuple[str, str],
    lines: Sequence[Line],
    *,
    days_ago: int = 0,
) -> dict[str, Any]:
    """The same of any panel (LOINC code and name)."""
    subject = {"identifier": {"system": "urn:yimatong:id:patient-number", "value": patient_number}}
    now = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="seconds")
    observations = [_observation(line, subject, now) for line in lines]
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": f"urn:hospital:{hospital['code']}:lis", "value": f"BC{secrets.token_hex(6)}"}],
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}],
        "code": {"coding": [{"system": _LOINC, "code": panel[0], "display": panel[1]}], "text": panel[1]},
        "subject": subject,
        "effectiveDateTime": now,
        "issued": now,
        "result": [{"reference": entry["fullUrl"]} for entry in observations],
    }
    if visit_id:
        report["encounter"] = {"identifier": {"system": "urn:yimatong:id:visit", "value": visit_id}}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "identifier": {"system": f"urn:hospital:{hospital['code']}:messages", "value": str(uuid.uuid4())},
        "entry": [_entry(report), *observations],
    }


def glucose_message(
    patient_number: str,
    hospital: dict[str, Any],
    *,
    order: str = "",
    name: str = "",
    value: str = "6.4",
    status: str = "F",
) -> str:
    """An ORU^R01 with one result.

    :param order: the same again is the report's next version; ``name``: PID-5; ``status``: OBR-25.
    """
    now = datetime.now(CITY).strftime("%Y%m%d%H%M%S+0800")
    order = order or f"GLU{secrets.token_hex(6)}"
    flag = "H" if float(value) > 6.1 else "N"
    segments = [
        f"MSH|^~\\&|LIS|{hospital['code']}|YIMATONG|CITY|{now}||ORU^R01^ORU_R01|{secrets.token_hex(10)}|P|2.5.1"
        "||||||UNICODE UTF-8",
        f"PID|1||{patient_number}^^^{hospital['code']}^PI||{name}",
        "PV1|1|O",
        f"OBR|1|{order}|{order}|1558-6^空腹血糖^LN|||{now}|||||||||||||||{now}||LAB|{status}",
        f"OBX|1|NM|1558-6^空腹血糖^LN||{value}|mmol/L|3.9-6.1|{flag}|||{status}",
    ]
    return "\r".join(segments) + "\r"


def result_list(rows: Sequence[dict[str, str]]) -> bytes:
    """A list of results as a clinic types it (CSV); all rows have the same columns."""
    sheet = io.StringIO(newline="")
    written = csv.DictWriter(sheet, list(rows[0]))
    written.writeheader()
    written.writerows(rows)
    return sheet.getvalue().encode()


@dataclass(frozen=True)
class Examination:
    """Images and their report: of one number, at one hospital, so many days ago."""

    patient_number: str
    hospital: dict[str, Any]
    days_ago: int = 0
    accession_number: str = field(default_factory=lambda: f"CT{secrets.token_hex(6).upper()}")

    @property
    def at(self) -> datetime:
        """When it was done."""
        return datetime.now(CITY) - timedelta(days=self.days_ago)

    def images(self, person: tuple[str, str, str], *, nodule_mm: float) -> list[pydicom.Dataset]:
        """A CT of a chest that nobody has.

        :param person: PatientName, PatientSex and PatientBirthDate.
        """
        said = dict(zip(("PatientName", "PatientSex", "PatientBirthDate"), person, strict=True))
        said |= {"PatientID": self.patient_number, "IssuerOfPatientID": self.hospital["code"]}
        said |= {"AccessionNumber": self.accession_number}
        return phantom.make_study(phantom.draw_chest(nodule_mm), self.at, "胸部CT平扫", **said)

    def report(self, conclusion: str) -> dict[str, Any]:
        """Its report, as a transaction Bundle."""
        bundle = report_bundle(
            self.patient_number, self.hospital, None, ("24627-2", "胸部CT平扫报告"), (), days_ago=self.days_ago
        )
        report = bundle["entry"][0]["resource"]
        report["category"] = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD"}]}]
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
        report["imagingStudy"] = [{"identifier": {"type": kind, "value": self.accession_number}}]
        report["conclusion"] = conclusion
        del report["result"]
        return bundle


def found_nodule(nodule_mm: float) -> str:
    """What is written about the chest of the demo."""
    return (
        f"右肺上叶见一枚类圆形结节，直径约 {nodule_mm:g} mm，边缘光整。余肺野清晰，纵隔居中，双侧胸腔无积液。\n"
        "建议随访复查。（演示报告，影像为合成体模）"
    )


def stow_body(images: Sequence[pydicom.Dataset]) -> tuple[bytes, str]:
    """A STOW-RS request with these images: content and content type."""
    boundary, body = uuid.uuid4().hex, io.BytesIO()
    for image in images:
        body.write(f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode())
        file = io.BytesIO()
        pydicom.dcmwrite(file, image, enforce_file_format=True)
        body.write(file.getvalue() + b"\r\n")
    body.write(f"--{boundary}--\r\n".encode())
    return body.getvalue(), f'multipart/related; type="application/dicom"; boundary={boundary}'


def describe_report(report: dict[str, Any]) -> str:
    """A report in one line, for reading."""
    flags = {"H": "↑", "L": "↓"}
    lines = [
        f"{line['name']} {line['value']} {line['unit']}（{line['reference_low']}–{line['reference_high']}）"
        f"{flags.get(line['interpretation'], '')}"
        for line in report["observations"]
    ]
    return f"{report['hospital_name']} {report['name']}：" + "；".join(lines)


def as_json(document: Any) -> bytes:
    """Any document as it goes over the wire."""
    return json.dumps(document, ensure_ascii=False).encode()


def _observation(line: Line, subject: dict[str, Any], now: str) -> dict[str, Any]:
    code, name, value, unit, ucum, low, high, flag = line
    return _entry(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": _LOINC, "code": code, "display": name}], "text": name},
            "subject": subject,
            "effectiveDateTime": now,
            "valueQuantity": {"value": value, "unit": unit, "system": _UCUM, "code": ucum},
            "referenceRange": [
                {"low": {"value": low, "unit": unit}, "high": {"value": high, "unit": unit}},
            ],
            "interpretation": [{"coding": [{"system": _INTERPRETATION, "code": flag}]}],
        }
    )


def _entry(resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "fullUrl": f"urn:uuid:{uuid.uuid4()}",
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
    }
