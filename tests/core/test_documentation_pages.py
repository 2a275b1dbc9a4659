"""The interface, to be read by a person."""

import re

from core.errors import list_refusals
from tests.support.city import City


def test_every_operation_stands_on_the_page_with_its_permission(city: City) -> None:
    document = city.client.get("/openapi.json").json
    page = city.client.get("/docs").text
    operations = [
        (path, method, said) for path, methods in document["paths"].items() for method, said in methods.items()
    ]
    assert len(operations) > 20
    shown = re.findall(r'<span class="method [a-z]+">([A-Z]+)</span>\s*<code class="path">([^<]+)</code>', page)
    assert sorted(shown) == sorted((method.upper(), path) for path, method, _ in operations)
    for permission in {said["x-permission"] for _, _, said in operations if "x-permission" in said}:
        assert f"<code>{permission}</code>" in page


def test_every_link_inside_the_page_leads_somewhere(city: City) -> None:
    page = city.client.get("/docs").text
    anchors = re.findall(r' id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors)


def test_every_refusal_has_the_address_that_problems_name(city: City) -> None:
    page = city.client.get("/docs/errors").text
    for refusal in list_refusals():
        assert f'<tr id="{refusal.code}">' in page
        assert refusal.title in page
