"""Taking back what an app may read waits for the read that is under way, and no later one succeeds."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from consent import service as consent
from consent.apps import service as apps
from core import db
from tests.support.apps import AppSide, accesses
from tests.support.city import City


def test_a_read_under_way_is_waited_for(committing_city: City) -> None:
    city, patient = committing_city, committing_city.patient()
    reader = city.actor(AppSide(city).tokens(patient)["access_token"])
    access_id = UUID(accesses(city, patient.token)[0]["id"])

    def revoke(*, patience: str) -> None:
        with city.app.app_context(), db.transaction() as session:
            session.execute(text(f"SET LOCAL lock_timeout = '{patience}'"))
            apps.revoke_access(session, patient.actor, access_id=access_id)

    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as reading:
            consent.release(reading, reader, person_id=patient.person_id, action="tests.read")
            with pytest.raises(OperationalError, match="lock timeout"):
                pool.submit(revoke, patience="50ms").result()
        pool.submit(revoke, patience="60s").result()
    with pytest.raises(consent.NothingShared), db.transaction() as session:
        consent.release(session, reader, person_id=patient.person_id, action="tests.read")
