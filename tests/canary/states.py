"""How a grant can stand between a patient of the cast and the hospital that treats him. A state more is a line more."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from core import clock, db
from tests.support.city import Patient, bearer

if TYPE_CHECKING:
    from tests.canary.world import World

# The houses that the cast meets: where results come from, where it is treated, and one that has nothing to do with it.
HOME, TREATING, OTHER = 0, 1, 2
HOUSES = {"home": HOME, "treating": TREATING, "other": OTHER}


@dataclass(frozen=True)
class State:
    """Whether and how the treating hospital may see somebody. ``shares``: now. ``open``: makes it so."""

    name: str
    shares: bool
    open: Callable[["World", Patient], UUID | None]


def _none(_world: "World", _patient: Patient) -> None:
    return None


def _active(world: "World", patient: Patient) -> UUID:
    return world.city.visit(world.doctors[TREATING], patient, world.hospitals[TREATING])


def _revoked(world: "World", patient: Patient) -> UUID:
    visit_id = _active(world, patient)
    mine = bearer(patient.token)
    for grant in world.city.client.get("/api/v1/grants", headers=mine).json["grants"]:
        assert world.city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=mine).status_code < 300
    return visit_id


def _expired(world: "World", patient: Patient) -> UUID:
    """To the moment: what ends now is over."""
    visit_id = _active(world, patient)
    world.clock.forward(seconds=1)
    with db.transaction() as session:
        over = {"now": clock.now(), "id": patient.person_id}
        session.execute(text("UPDATE grants SET expires_at = :now, version = version + 1 WHERE person_id = :id"), over)
    return visit_id


# A state more is a line more here: the cast gets one patient of each, and every route is asked about him.
STATES = [
    State("active", True, _active),
    State("none", False, _none),
    State("revoked", False, _revoked),
    State("expired", False, _expired),
]
