"""What many grants cost a doctor: a page of a patient's timeline under a hundred of them, beside the same under one."""

import random
import secrets
from collections.abc import Callable
from uuid import UUID

from accounts import service as accounts
from accounts.models import Role
from bench import filling
from bench.harness import Figure, Machines, Round, Settings, alternate
from bench.reading import READERS, Reader, town
from core import db
from core.actor import SYSTEM

GRANTS = 100
_VISITS = """
INSERT INTO visits (id, person_id, hospital_id, kind, department, medical_step, opened_at)
SELECT id, id, %(hospital_id)s, 'O', '0300', '010101', now() FROM unnest(%(persons)s::uuid[]) AS patient (id)
"""
# Nothing is narrowed by ``whole`` of them. Of the others each tenth is confined to a kind, so that these show the whole
# page, and the rest to a tenth of a year or to one person, all by chance alike.
_GRANTS = """
INSERT INTO grants (id, person_id, hospital_id, staff_id, purpose, opened_by, kinds, since_on, until_on, version,
    starts_at, expires_at)
SELECT gen_random_uuid(), patient.id, %(hospital_id)s,
    CASE WHEN number > %(whole)s AND number %% 10 IN (3, 4) THEN %(staff_id)s::uuid END, 'consultation', 'patient',
    CASE WHEN number > %(whole)s AND number %% 10 IN (0, 1) THEN '{laboratory,imaging}'::text[] END,
    CASE WHEN number > %(whole)s AND number %% 10 > 0 THEN current_date - number * 36 END,
    CASE WHEN number > %(whole)s AND number %% 10 > 0 THEN current_date - number * 36 + 36 END,
    1, now() - interval '1 hour', now() + number * interval '1 day'
FROM unnest(%(persons)s::uuid[]) AS patient (id), generate_series(1, %(grants)s) AS number
"""


def measure(settings: Settings) -> list[Figure]:
    """A page of 40 lines, of which every one is decided: by one of a hundred grants that is whole, and by none."""
    with town(settings) as (running, _config, readers):
        url = running.product_url
        filling.fill(url, settings.reports, [reader.person_id for reader in readers])
        token, hospital_id, staff_id = _hire()
        third = READERS // 3
        groups = {"one": readers[:third], "mixed": readers[third : 2 * third], "narrow": readers[2 * third :]}
        for name, whole, grants in (("one", 1, 1), ("mixed", 1, GRANTS), ("narrow", 0, GRANTS)):
            persons = [reader.person_id for reader in groups[name]]
            asked = {"hospital_id": hospital_id, "staff_id": staff_id, "persons": persons}
            with filling.connect(url) as connection:
                connection.execute(_VISITS, asked)
                connection.execute(_GRANTS, asked | {"whole": whole, "grants": grants})
                connection.execute("VACUUM ANALYZE grants")
                connection.execute("VACUUM ANALYZE visits")
        figures = []
        for bench, name in (("gate_mixed", "mixed"), ("gate_narrow", "narrow")):
            for contender in (name, "one"):
                running.serve(f"{bench}_{contender}", "app:create_app", database_url=url, ready="/readyz")
            contenders = {
                contender: _contender(running, f"{bench}_{contender}", token, groups[contender], settings)
                for contender in (name, "one")
            }
            figures += alternate(bench, contenders, settings.rounds)
        return figures


def _hire() -> tuple[str, UUID, UUID]:
    """A doctor elsewhere, signed in: the session, his hospital and he."""
    username, password = f"b{secrets.token_hex(6)}", secrets.token_urlsafe(12)
    with db.transaction() as session:
        house = accounts.register_hospital(session, SYSTEM, code="BENCH2", name="第二测试医院", level=3)
        staff_id = accounts.hire_staff(
            session,
            SYSTEM,
            hospital_id=house,
            username=username,
            name="测试医生",
            role=Role.DOCTOR,
            password=password,
        )
        return accounts.sign_in_staff(session, username=username, password=password).token, house, staff_id


def _contender(
    running: Machines, name: str, token: str, readers: list[Reader], settings: Settings
) -> Callable[[], Round]:
    chance = random.Random(settings.seed)
    requests = [
        f"GET /api/v1/visits/{chance.choice(readers).person_id}/timeline?limit=40 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
        for _ in range(20_000)
    ]
    running.measure(name, requests[:200], settings, expected_status=200)
    return lambda: running.measure(name, requests, settings, expected_status=200)
