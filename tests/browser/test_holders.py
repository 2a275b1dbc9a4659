"""The desk checks a guardian, in a real browser."""

import pytest

from tests.browser.conftest import Visitor
from tests.health_card.family.household import Household, born_years_ago, number_of
from tests.support.city import City

pytestmark = pytest.mark.system("chromium")


def test_a_registrar_confirms_a_second_parent(committing_city: City, desk_window: Visitor) -> None:
    household = Household.open(committing_city)
    number = number_of(born_years_ago(6))
    household.add(household.mother, certificate_number=number)
    household.add(household.father, certificate_number=number)
    desk_window.sign_in(household.registrar)
    desk_window.page.get_by_role("link", name="家庭与监护人核验").click()
    desk_window.page.wait_for_url("**/desk/holders")
    desk_window.page.wait_for_function("document.activeElement.name === 'certificate_number'")
    desk_window.type_like_a_scanner(household.father.certificate_number)
    waiting = desk_window.page.locator(".is-waiting")
    waiting.get_by_label("核对的材料").select_option("birth_certificate")
    waiting.get_by_role("button", name="确认").click()
    desk_window.page.wait_for_selector("#done")
    assert desk_window.page.locator(".is-waiting").count() == 0
    desk_window.page.set_viewport_size({"width": 390, "height": 844})
    assert desk_window.width_beyond_screen() <= 0
    assert desk_window.complaints == []
    assert desk_window.outside == []
