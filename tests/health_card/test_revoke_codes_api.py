"""A patient ends every code shown so far."""

from accounts.models import Role
from tests.support.city import City, bearer


def test_codes_shown_before_are_refused_and_the_next_one_is_good(city: City) -> None:
    hospital, patient, other = city.hospital(), city.patient(), city.patient()
    desk, photographed = city.staff(hospital, Role.REGISTRAR), city.code(patient)
    path = f"/api/v1/cards/{patient.card_id}/codes/revoke"
    stranger = city.client.post(path, headers=bearer(other.token))
    assert (stranger.status_code, stranger.json["code"]) == (404, "health_card.card_not_found")
    assert city.client.post(path, headers=bearer(patient.token)).status_code == 204
    refused = city.scan(desk, photographed, hospital)
    assert (refused.status_code, refused.json["code"]) == (410, "health_card.code_revoked")
    assert city.scan(desk, city.code(patient), hospital).status_code == 201
