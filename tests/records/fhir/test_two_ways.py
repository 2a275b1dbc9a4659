"""Reports are searched by one hand-written statement for people and hospitals, and by the ORM for apps and for counts.

What a search parameter means stands in both (``records/fhir/service``, results.py and listings.py): they say the same.
"""

import json
from urllib.parse import quote

import pytest

from records.fhir import systems
from tests.support.apps import AppSide
from tests.support.city import City
from tests.support.entries import call, get, identified, matches, named
from tests.support.fhir import bundle, card, observation, report, report_id_of, send

LOINC = "http://loinc.org"
# Systolic and diastolic pressure: the parts of one result.
PARTS = [
    {"code": {"coding": [{"system": LOINC, "code": code}], "text": name}, "valueInteger": 120}
    for code, name in (("8480-6", "收缩压"), ("8462-4", "舒张压"))
]


class Scene:
    """One patient with reports that differ in everything that can be asked for, on his phone and in his app."""

    def __init__(self, city: City) -> None:
        self.city, hospital = city, city.hospital()
        self.machine, patient = city.machine(hospital), city.patient()
        self.visit_id = city.visit(city.staff(hospital), patient, hospital)
        whose = card(patient.card_number)
        laboratory = report(whose, encounter={"reference": f"Encounter/{self.visit_id}"})
        self.identifier = laboratory["identifier"][0]
        first = bundle(laboratory, observation(), observation("718-7", "血红蛋白", status="preliminary"))
        self.report_id = self._send(first)
        self._send(bundle(laboratory | {"status": "corrected"}, observation(), observation("6690-2", "白细胞")))
        radiology = [{"coding": [{"system": systems.DIAGNOSTIC_SERVICE, "code": "RAD"}]}]
        later = {"category": radiology, "status": "preliminary", "effectiveDateTime": "2026-04-02T09:00:00+08:00"}
        self._send(bundle(report(whose, **later), observation("1", "影像所见")))
        plain = {"valueQuantity": None, "referenceRange": None, "interpretation": None}
        pressure = observation("85354-9", "血压", component=PARTS, **plain)
        self._send(bundle(report(whose, effectiveDateTime="2026-04-03T09:00:00+08:00"), pressure))
        self.own_name = identified()
        alone = observation(
            identifier=self.own_name, subject=named(patient.card_number), effectiveDateTime="2026-04-04"
        )
        reply = call(city, self.machine.token, "POST", "Observation", alone)
        assert reply.status_code == 201, reply.text
        self.line_id = str(json.loads(reply.text)["id"])
        self.person_id, self.phone = patient.person_id, patient.token
        self.app = str(AppSide(city).tokens(patient, "patient/*.rs")["access_token"])

    def _send(self, body: dict[str, object]) -> str:
        return report_id_of(send(self.city, self.machine, body))

    def find(self, token: str, asked: str) -> list[tuple[str, str]]:
        """Id and version of what is found, in its order."""
        found = matches(get(self.city, token, asked))
        return [(str(one["id"]), str(one["meta"]["versionId"])) for one in found]

    def count(self, asked: str) -> int:
        """How many of the patient there are, said without them."""
        counted = get(self.city, self.phone, f"{asked}&patient={self.person_id}&_summary=count")
        return int(counted["total"])


@pytest.fixture(scope="module")
def built(module_city: City) -> Scene:
    return Scene(module_city)


@pytest.mark.parametrize("kind", ["DiagnosticReport", "Observation"])
def test_people_and_apps_find_the_same_in_the_same_order(app: object, built: Scene, kind: str) -> None:
    one_id = built.report_id if kind == "DiagnosticReport" else built.line_id
    named_by = built.identifier if kind == "DiagnosticReport" else built.own_name[0]
    identifier = quote(f"{named_by['system']}|{named_by['value']}")
    asked = {
        "": 4 if kind == "DiagnosticReport" else 5,
        f"patient={built.person_id}": None,
        f"_id={one_id}": 1,
        f"_id={one_id},nothing": 1,
        f"identifier={identifier}": 1,
        f"identifier={named_by['value']}": 1,
        "identifier=nothing": 0,
        f"encounter=Encounter/{built.visit_id}": None,
        "category=laboratory": None,
        "category=LAB,RAD": None,
        "category=imaging": 0,
        "status=final": None,
        "status=preliminary,corrected": None,
        f"code={quote(LOINC)}|24323-8": None,
        "code=2345-7": None,
        "code=8480-6": 0,
        "date=2026-03-20": None,
        "date=ne2026-03-20": None,
        "date=ge2026-04&date=lt2026-04-04": None,
        "date=sa2026-04-02,eb2026-04-01": None,
        "_lastUpdated=ge2020": None,
        "_lastUpdated=lt2020": 0,
        "_sort=date": None,
        "_sort=_lastUpdated": None,
    } | ({"combo-code=8480-6": 1, "combo-code=85354-9,6690-2": 2} if kind == "Observation" else {})
    for question, expected in asked.items():
        search = f"{kind}?{question}"
        found = built.find(built.phone, search)
        assert built.find(built.app, search) == found, search
        assert built.count(search) == len(found), search
        assert expected is None or len(found) == expected, (search, found)


@pytest.mark.parametrize("kind", ["DiagnosticReport", "Observation"])
def test_pages_of_both_end_at_the_same_places(app: object, built: Scene, kind: str) -> None:
    for sort in ("date", "-date", "_lastUpdated", "-_lastUpdated"):
        whole = built.find(built.phone, f"{kind}?_sort={sort}")
        assert len(whole) >= 4
        for token in (built.phone, built.app):
            read: list[tuple[str, str]] = []
            following = f"{kind}?_sort={sort}&_count=2"
            while following:
                page = get(built.city, token, following)
                read += [(str(one["id"]), str(one["meta"]["versionId"])) for one in matches(page)]
                links = {link["relation"]: link["url"] for link in page["link"]}
                following = links.get("next", "").partition("/fhir/")[2]
            assert read == whole, sort
