"""A household in the city of each module; every test finds it as it was made."""

import pytest

from tests.health_card.family.household import Household
from tests.support.city import City


@pytest.fixture(scope="module")
def household_of_module(module_city: City) -> Household:
    return Household.open(module_city)


@pytest.fixture
def household(household_of_module: Household, city: City) -> Household:
    return household_of_module
