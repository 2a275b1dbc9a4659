"""A patient with results at one hospital who is treated at another."""

from dataclasses import dataclass
from uuid import UUID

from records.fhir import systems
from tests.support import dicom, fhir
from tests.support.city import City, Hospital, Patient, Staff


@dataclass(frozen=True)
class Case:
    """Results come from ``home``; the doctor works at ``treating``, where the card was scanned."""

    home: Hospital
    treating: Hospital
    doctor: Staff
    patient: Patient
    visit_id: UUID
    report_id: UUID
    study_id: UUID

    @property
    def chart(self) -> str:
        return f"/visits/{self.visit_id}"


def open_case(city: City, name: str = "张测试") -> Case:
    """A chemistry report and a CT image from elsewhere, and a visit here."""
    home, treating = city.hospital("市第一测试医院"), city.hospital("市第二测试医院")
    patient, doctor = city.patient(name), city.staff(treating, name="王测试")
    report_id = send_report(city, home, patient)
    study_id = send_image(city, home, patient)
    return Case(home, treating, doctor, patient, city.visit(doctor, patient, treating), report_id, study_id)


def send_report(city: City, hospital: Hospital, patient: Patient) -> UUID:
    """Glucose too high, potassium too low, sodium as it should be."""
    laboratory = city.machine(hospital)
    subject = (systems.CARD, patient.card_number)
    results = (
        fhir.observation(),
        fhir.observation("2823-3", "钾", **_result(3.1, 3.5, 5.3, "L")),
        fhir.observation("2951-2", "钠", **_result(140, 137, 147, "N")),
    )
    return UUID(fhir.report_id_of(fhir.send(city, laboratory, fhir.bundle(fhir.report(subject), *results))))


def send_image(city: City, hospital: Hospital, patient: Patient) -> UUID:
    """One CT image."""
    number = f"MZ{patient.card_number[:8]}"
    city.bind_number(hospital, patient, number)
    image = dicom.make_image(SpecificCharacterSet="ISO_IR 192", PatientID=number, StudyDescription="胸部CT平扫")
    reply = city.store(city.machine(hospital, name="影像系统"), image)
    assert reply.status_code == 200, reply.text
    page = city.client.get("/api/v1/timeline", headers={"Authorization": f"Bearer {patient.token}"}).json
    return next(UUID(item["object_id"]) for item in page["items"] if item["object_kind"] == "study")


def _result(value: float, low: float, high: float, flag: str, unit: str = "mmol/L") -> dict[str, object]:
    return {
        "valueQuantity": {"value": value, "unit": unit},
        "referenceRange": [{"low": {"value": low}, "high": {"value": high}}],
        "interpretation": [{"coding": [{"system": systems.INTERPRETATION, "code": flag}]}],
    }
