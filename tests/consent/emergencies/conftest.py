"""A bedside of each module; every test finds it as it was made."""

import pytest

from tests.consent.emergencies.bedside import Bedside
from tests.support.city import City


@pytest.fixture(scope="module")
def bedside_of_module(module_city: City) -> Bedside:
    return Bedside(module_city)


@pytest.fixture
def bedside(bedside_of_module: Bedside, city: City) -> Bedside:
    return bedside_of_module
