"""A minor who hides things from his guardian."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from werkzeug.test import TestResponse

from core import db
from core.audit import AuditEntry
from tests.health_card.family.household import Household
from tests.support.charts import send_image, send_report
from tests.support.city import City, Patient, Staff, bearer


@dataclass(frozen=True)
class Scene:
    """A minor with a login, a report and a study; the mother acts for him with his consent."""

    household: Household
    minor: Patient
    report_id: UUID
    study_id: UUID

    @property
    def city(self) -> City:
        return self.household.city

    @property
    def mother(self) -> Patient:
        return self.household.mother

    def get(self, path: str, who: Patient | Staff) -> TestResponse:
        return self.city.client.get(path, headers=bearer(who.token))

    def listed(self, path: str, who: Patient | Staff) -> list[dict[str, Any]]:
        reply = self.get(path, who)
        assert reply.status_code == 200, reply.text
        return list(reply.json if isinstance(reply.json, list) else reply.json["items"])

    def hide(self, item: object, who: Patient | Staff | None = None, verb: str = "hide") -> TestResponse:
        return self.household.post(who or self.minor, f"/timeline/{item}/{verb}", {})

    def show(self, item: object, who: Patient | None = None) -> TestResponse:
        return self.hide(item, who, "show")

    def paths(self) -> dict[str, str]:
        """Every address under which one of the two is read."""
        study = self.get(f"/api/v1/studies/{self.study_id}", self.minor).json
        series = study["series"][0]
        uid, series_uid = study["study_instance_uid"], series["series_instance_uid"]
        instance = f"/dicomweb/studies/{uid}/series/{series_uid}/instances/{series['instances'][0]['sop_instance_uid']}"
        return {
            "report": f"/api/v1/reports/{self.report_id}",
            "study": f"/api/v1/studies/{self.study_id}",
            "series": f"/dicomweb/studies/{uid}/series",
            "instances": f"/dicomweb/studies/{uid}/series/{series_uid}/instances",
            "instance": instance,
            "metadata": f"{instance}/metadata",
            "rendered": f"{instance}/rendered",
            "frame": f"{instance}/frames/1/rendered",
            "search": f"/dicomweb/studies?StudyInstanceUID={uid}",
        }


def open_scene(city: City) -> Scene:
    household = Household.open(city)
    minor = household.minor()
    agree(household, household.mother, minor, "child")
    report_id = send_report(city, household.hospital, minor)
    return Scene(household, minor, report_id, send_image(city, household.hospital, minor))


def agree(household: Household, acting: Patient, person: Patient, relation: str) -> None:
    """The person lets somebody act for him."""
    code = household.invite(acting, kind="consent", relation=relation).json["code"]
    assert household.accept(person, code).status_code == 200


def acts(scene: Scene, action: str) -> int:
    with db.snapshot() as session:
        return (
            session.scalar(select(func.count(AuditEntry.id)).filter_by(action=action, subject_id=scene.minor.person_id))
            or 0
        )
