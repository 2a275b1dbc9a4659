"""How a grant can stand between a patient of the cast and the hospital that treats him. A state more is a line more."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text, update

from consent import service as consent
from consent.models import Grant
from core import clock, db
from tests.support.city import Patient, bearer

if TYPE_CHECKING:
    from tests.canary.world import World

# The houses that the cast meets: where results come from, where it is treated, and one that has nothing to do with it.
HOME, TREATING, OTHER = 0, 1, 2
HOUSES = {"home": HOME, "treating": TREATING, "other": OTHER}


@dataclass(frozen=True)
class State:
    """Whether and how the treating hospital may see somebody.

    ``shares``: with whom of it, now. ``open``: makes it so.
    """

    name: str
    shares: frozenset[str]
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


def _used_up(world: "World", patient: Patient) -> UUID:
    return _narrowed(world, patient, {"uses_left": 0})


def _elsewhere(world: "World", patient: Patient) -> UUID:
    """A grant in force, of a kind of which nobody here has anything."""
    return _narrowed(world, patient, {"kinds": ["immunization"]})


def _narrowed(world: "World", patient: Patient, change: dict[str, Any]) -> UUID:
    visit_id = _active(world, patient)
    with db.transaction() as session:
        session.execute(
            update(Grant).where(Grant.person_id == patient.person_id).values(version=Grant.version + 1, **change)
        )
    return visit_id


def _emergency(world: "World", patient: Patient) -> UUID:
    """The patient has taken his consent back; the doctor opens the records all the same."""
    visit_id = _revoked(world, patient)
    doctor = world.doctors[TREATING]
    with db.transaction() as session:
        consent.open_grant(
            session,
            doctor.actor,
            person_id=patient.person_id,
            recipient=consent.Recipient(hospital_id=world.hospitals[TREATING].id, staff_id=doctor.id),
            scope=consent.Scope(),
            purpose=consent.Purpose.EMERGENCY,
            opened_by=consent.OpenedBy.BREAK_GLASS,
            expires_at=clock.now() + timedelta(hours=4),
        )
    return visit_id


NOBODY: frozenset[str] = frozenset()
# They may look, and there is nothing for them.
EMPTY = frozenset({"in vain"})
HOUSE = frozenset({"doctor", "colleague", "machine", "reader"})
# A state more is a line more here: the cast gets one patient of each, and every route is asked about him.
STATES = [
    State("active", HOUSE, _active),
    State("none", NOBODY, _none),
    State("revoked", NOBODY, _revoked),
    State("expired", NOBODY, _expired),
    State("used up", NOBODY, _used_up),
    State("elsewhere", EMPTY, _elsewhere),
    State("emergency", frozenset({"doctor"}), _emergency),
]
