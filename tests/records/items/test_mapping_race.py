"""A code has one meaning, however many say one at the same moment."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from core import db
from core.actor import SYSTEM
from records.items import service as items
from records.items.service import MappingWanted
from tests.support.city import City

THREADS = 8


def test_8_who_map_one_code_at_once_leave_one_meaning(committing_city: City) -> None:
    code, barrier = f"R{secrets.token_hex(6)}", threading.Barrier(THREADS)

    def say(number: int) -> UUID:
        item = ("LAB-GLU", "LAB-FPG")[number % 2]
        with committing_city.app.app_context():
            barrier.wait()
            with db.transaction() as session:
                wanted = MappingWanted(code_system="urn:test", code=code, item=item)
                return items.map_code(session, SYSTEM, wanted=wanted).id

    with ThreadPoolExecutor(THREADS) as pool:
        said = set(pool.map(say, range(THREADS)))
    with db.transaction() as session:
        found = [
            mapping
            for item in ("LAB-GLU", "LAB-FPG")
            for mapping in items.list_mappings(session, SYSTEM, item=item)
            if mapping.code == code
        ]
        assert len(found) == 1
        assert found[0].id in said
        items.end_mapping(session, SYSTEM, mapping_id=found[0].id)
