"""Studies of several series, made of real pictures that pydicom's authors collected."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import data_store
import numpy as np
import pydicom
from pydicom.uid import generate_uid

from records.fhir import systems
from tests.support import dicom, fhir
from tests.support.city import City, Hospital, Patient, Staff, bearer

ACCESSION_NUMBER = "A20260712"
COLLECTED = Path(data_store.__file__).parent / "data"


@dataclass(frozen=True)
class Seen:
    """A patient with studies made at one hospital, and a doctor of another one where the card was scanned."""

    city: City
    home: Hospital
    patient: Patient
    doctor: Staff
    visit_id: UUID

    def send(self, description: str, *images: pydicom.Dataset) -> UUID:
        """File images as one study; returns its id."""
        number, study_uid = f"MZ{self.patient.card_number[:8]}", generate_uid()
        for image in images:
            image.StudyInstanceUID, image.StudyDescription = study_uid, description
            image.PatientID, image.SpecificCharacterSet = number, "ISO_IR 192"
            image.StudyDate, image.StudyTime, image.AccessionNumber = "20260712", "093000", ACCESSION_NUMBER
        reply = self.city.store(self.city.machine(self.home, name="影像系统"), *images)
        assert reply.status_code == 200, reply.text
        found = self.city.client.get("/api/v1/timeline", headers=bearer(self.patient.token)).json["items"]
        return next(UUID(one["object_id"]) for one in found if one["title"] == description)

    def report(self, conclusion: str, **said: Any) -> UUID:
        """A report of the examination, by FHIR; returns its id."""
        coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}
        told = {
            "category": [{"coding": [{"system": systems.DIAGNOSTIC_SERVICE, "code": "RAD"}]}],
            "code": {"coding": [{"system": "urn:example:code", "code": "CT1"}], "text": "影像报告"},
            "basedOn": [{"identifier": {"type": {"coding": [coding]}, "value": ACCESSION_NUMBER}}],
            "conclusion": conclusion,
        }
        report = fhir.report((systems.CARD, self.patient.card_number), **(told | said))
        sent = fhir.send(self.city, self.city.machine(self.home), fhir.bundle(report))
        return UUID(fhir.report_id_of(sent))

    def address(self, study_id: UUID) -> str:
        """Where the patient's phone opens it."""
        asked = self.city.client.post(f"/api/v1/studies/{study_id}/views", headers=bearer(self.patient.token))
        assert asked.status_code == 201, asked.text
        return str(asked.json["address"])

    def revoke_all(self) -> None:
        mine = bearer(self.patient.token)
        for grant in self.city.client.get("/api/v1/grants", headers=mine).json["grants"]:
            self.city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=mine)


def open_scene(city: City) -> Seen:
    home, treating = city.hospital("市第一测试医院"), city.hospital("市第二测试医院")
    patient, doctor = city.patient(), city.staff(treating, name="王测试")
    city.bind_number(home, patient, f"MZ{patient.card_number[:8]}")
    return Seen(city, home, patient, doctor, city.visit(doctor, patient, treating))


def picture(name: str, **attributes: object) -> pydicom.Dataset:
    """A collected or shipped file as an instance of a series of its own."""
    collected = COLLECTED / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = dicom.anonymous(pydicom.dcmread(collected if collected.exists() else dicom.SHIPPED / name))
    image.SOPInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    return image


def stack(name: str, count: int, **attributes: object) -> list[pydicom.Dataset]:
    """Slices made of one: each moved a little, so that a scroll is seen."""
    first = picture(name, **attributes)
    pixels, slices = first.pixel_array, []
    for number in range(1, count + 1):
        one = picture(name, **attributes)
        one.SeriesInstanceUID, one.InstanceNumber = first.SeriesInstanceUID, number
        one.PixelData = np.roll(pixels, number * pixels.shape[0] // (3 * count), axis=0).tobytes()
        slices.append(one)
    return slices
