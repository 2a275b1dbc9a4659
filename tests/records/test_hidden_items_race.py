"""Hiding from many phones at the same moment."""

from concurrent.futures import ThreadPoolExecutor

from tests.records.hidden import acts, open_scene
from tests.support.city import City


def test_hidden_from_many_phones_at_once_it_is_hidden_once(committing_city: City) -> None:
    scene = open_scene(committing_city)

    def hide(_: int) -> int:
        return scene.hide(scene.report_id).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(hide, range(8))) == {200}
    assert acts(scene, "consent.item.hidden") == 1
