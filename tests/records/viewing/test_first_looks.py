"""What is slow to decode is decoded when it arrives."""

import pytest
from sqlalchemy import select

from core import db, storage
from core.dispatch import Dispatcher
from records.images import render
from records.images.models import Instance
from records.images.slow import ARRIVED_TOPIC
from records.viewing import jobs
from tests.support import studies
from tests.support.city import City, bearer
from tests.support.studies import Seen


@pytest.fixture(scope="module")
def module_scene(module_city: City) -> Seen:
    return studies.open_scene(module_city)


@pytest.fixture
def addresses(module_scene: Seen, city: City) -> list[str]:
    """Of the first looks at a JPEG 2000 image and at a small plain one."""
    slow = studies.picture("JPEG2000.dcm", SeriesNumber=1)
    plain = studies.picture("CT_small.dcm", SeriesNumber=2)
    study_id = module_scene.send("核医学检查", slow, plain)
    return [
        f"/view/{study_id}/series/{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}/frames/1/rendered"
        for one in (slow, plain)
    ]


def decode_nothing(*_args: object, **_named: object) -> bytes:
    raise AssertionError("decoded again")


def test_the_first_look_is_no_decode(
    module_scene: Seen, city: City, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = bearer(module_scene.patient.token)
    before = [city.client.get(address, headers=mine) for address in addresses]
    assert [reply.status_code for reply in before] == [200, 200], "shown also while the worker is behind"
    Dispatcher(city.app, jobs.HANDLERS).run_due()
    monkeypatch.setattr(render, "render_instance", decode_nothing)
    made = city.client.get(addresses[0], headers=mine)
    assert made.data == before[0].data
    assert made.headers["Cache-Control"] == "private, no-cache"
    known = {"If-None-Match": made.headers["ETag"]}
    assert city.client.get(addresses[0], headers=mine | known).status_code == 304
    stranger = bearer(city.patient("李测试").token)
    assert city.client.get(addresses[0], headers=stranger | known).status_code == 404, "decided before it is looked up"


def test_it_is_made_once(module_scene: Seen, city: City, addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Dispatcher(city.app, jobs.HANDLERS).run_due()
    kept: list[storage.Staged] = []
    monkeypatch.setattr(storage, "keep", kept.append)
    uid = addresses[0].split("/instances/")[1].split("/")[0]
    with db.snapshot() as session:
        instance_id = session.scalar(select(Instance.id).filter_by(sop_instance_uid=uid))
    jobs.HANDLERS[ARRIVED_TOPIC]({"instance_id": str(instance_id)})
    assert kept == []
