"""The dictionary: everybody reads it, the operator changes it as versions."""

from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, InternalError, ProgrammingError

from accounts.models import Role
from core import db
from core.audit import AuditEntry
from records.items import service as items
from records.items.models import Item, ItemVersion
from tests.support.browsing import Browser
from tests.support.city import City, Staff, bearer


@pytest.fixture
def operator(city: City) -> Staff:
    return city.staff(None, Role.OPERATOR)


def read(city: City, operator: Staff, code: str = "LAB-GLU") -> Any:
    return city.client.get(f"/api/v1/items/{code}", headers=bearer(operator.token))


def save(city: City, operator: Staff, code: str = "LAB-GLU", **changes: Any) -> Any:
    shown = read(city, operator).json
    kept = {name: value for name, value in shown.items() if name not in {"id", "code", "version", "changed_at"}}
    body = kept | {"after_version": shown["version"]} | changes
    return city.client.put(f"/api/v1/operator/items/{code}", json=body, headers=bearer(operator.token))


def refusal(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]


def test_a_city_starts_with_the_list_and_loading_again_changes_nothing(city: City, operator: Staff) -> None:
    shown = read(city, operator).json
    assert (shown["name"], shown["unit"], shown["loinc"]) == ("葡萄糖", "mmol/L", ["2345-7", "14749-6"])
    assert shown["ranges"][0] | {"low": "3.9", "high": "6.1", "age_from_days": 6575} == shown["ranges"][0]
    save(city, operator, name="血葡萄糖")
    with db.transaction() as session:
        assert items.load_starting_list(session) == 0
    assert read(city, operator).json["name"] == "血葡萄糖"


def test_it_is_found_by_name_code_and_loinc_page_by_page(city: City, operator: Staff) -> None:
    def listed(query: str) -> list[str]:
        reply = city.client.get(f"/api/v1/items?{query}", headers=bearer(operator.token))
        return [item["code"] for item in reply.json["items"]]

    assert listed("text=葡萄糖") == ["LAB-GLU", "LAB-U-GLU"]
    assert listed("text=2345-7") == ["LAB-GLU"]
    assert listed("text=%25") == ["LAB-BASO-P", "LAB-EO-P", "LAB-LYMPH-P", "LAB-MONO-P", "LAB-NEUT-P", "LAB-RET-P"]
    first = listed("limit=2")
    assert listed(f"limit=1&after={first[0]}") == first[1:]


def test_a_change_is_a_version_and_the_old_one_stays(city: City, operator: Staff) -> None:
    reply = save(city, operator, decimals=1, loinc=["2345-7"], ranges=[{"low": "3.5", "high": "7.0"}])
    assert reply.status_code == 200
    assert (reply.json["version"], reply.json["decimals"], reply.json["loinc"]) == (2, 1, ["2345-7"])
    assert [(one["low"], one["high"]) for one in reply.json["ranges"]] == [("3.5", "7.0")]
    with db.transaction() as session:
        rows = session.execute(
            select(ItemVersion.version, ItemVersion.is_current)
            .join(Item, Item.id == ItemVersion.item_id)
            .where(Item.code == "LAB-GLU")
            .order_by(ItemVersion.version)
        ).all()
        assert [tuple(row) for row in rows] == [(1, False), (2, True)]
        (act,) = session.scalars(select(AuditEntry).filter_by(action="records.item.changed"))
        assert (act.actor_id, act.facts) == (operator.id, {"item": "LAB-GLU", "version": 2})


def test_an_item_is_made_and_means_its_own_code(city: City, operator: Staff) -> None:
    assert refusal(read(city, operator, "LAB-NEW")) == (404, "records.dictionary_item_not_found")
    made = save(city, operator, "LAB-NEW", after_version=0, loinc=[], name="新项目")
    assert (made.status_code, made.json["version"]) == (200, 1)
    mapped = city.client.get("/api/v1/code-mappings?item=LAB-NEW", headers=bearer(operator.token)).json["mappings"]
    assert [(each["code_system"], each["code"]) for each in mapped] == [("urn:yimatong:code:item", "LAB-NEW")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"after_version": 0}, (409, "records.dictionary_item_changed")),
        ({"after_version": 7}, (409, "records.dictionary_item_changed")),
        ({"unit": "mmol/Liter"}, (422, "records.unit_unknown")),
        ({"loinc": ["2823-3"]}, (409, "records.code_means_another_item")),
        ({"loinc": ["2345-8"]}, (422, "core.malformed_request")),
        ({"unit": None}, (422, "core.malformed_request")),
        ({"ranges": [{"low": "7", "high": "3"}]}, (422, "core.malformed_request")),
    ],
)
def test_what_is_refused_changes_nothing(
    city: City, operator: Staff, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    before = read(city, operator).json
    assert refusal(save(city, operator, **changes)) == expected
    assert read(city, operator).json == before


def test_only_the_operator_changes_it(city: City) -> None:
    doctor = city.staff(city.hospital())
    reply = city.client.put("/api/v1/operator/items/LAB-GLU", json={}, headers=bearer(doctor.token))
    assert refusal(reply) == (403, "core.permission_missing")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE item_versions SET name = 'x'",
        "DELETE FROM item_versions",
        "UPDATE item_ranges SET low = 0",
        "UPDATE code_mappings SET item_id = NULL",
    ],
)
def test_what_was_said_cannot_be_changed(city: City, statement: str) -> None:
    with pytest.raises((InternalError, ProgrammingError, IntegrityError)), db.transaction() as session:
        session.execute(text(statement))


def test_the_operator_changes_an_item_on_its_page(city: City, operator: Staff) -> None:
    browser = Browser(city.app)
    browser.sign_in(operator)
    assert "葡萄糖" in browser.get("/operator/items/dictionary?text=2345-7").text
    page = "/operator/items/dictionary/LAB-CREA"
    assert "20岁" in browser.get(page).text
    form: dict[str, Any] = {
        "after_version": "1", "name": "肌酐", "name_en": "Creatinine", "short_name": "Cr", "category": "laboratory",
        "value_kind": "quantity", "unit": "umol/L", "decimals": "1", "molar_mass": "113.12", "loinc": "14682-9",
        "ranges": ["male", "18岁", "", "57", "97", "", "", "", "", "28天", "15", "77", "", "", *[""] * 7],
    }  # fmt: skip
    assert browser.post(page, form).status_code == 303
    shown = read(city, operator, "LAB-CREA").json
    assert (shown["version"], shown["short_name"], shown["loinc"]) == (2, "Cr", ["14682-9"])
    assert [(one.get("sex"), one["age_from_days"], one.get("age_until_days")) for one in shown["ranges"]] == [
        ("male", 6575, None),
        (None, 0, 28),
    ]
    refused = browser.post(page, form)
    assert refused.status_code == 409
    assert "刚刚被修改过" in refused.text
    assert browser.post(page, form | {"after_version": "2", "ranges": ["", "x", *[""] * 5]}).status_code == 422
    with db.transaction() as session:
        assert session.scalars(select(func.count()).select_from(Item)).one() > 150
