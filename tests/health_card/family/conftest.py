"""A household in the city of each test."""

import pytest

from tests.health_card.family.household import Household
from tests.support.city import City


@pytest.fixture
def household(city: City) -> Household:
    return Household.open(city)
