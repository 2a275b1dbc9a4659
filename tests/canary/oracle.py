"""Who may see what, told independently of the product: a few lines about who is who."""

from tests.canary.marks import HOUSE, IDENTITY, PERSON, Mark
from tests.canary.states import HOME, HOUSES, TREATING
from tests.canary.world import World

# What the guardian of the cast is to the others. ``all``: as to himself; ``open``: but for what is hidden or sensitive.
RELATIONS = {"guardian": "self", "child": "all", "adolescent": "open", "spouse": "open"}
# The first letter of a canary's field. R: reports and what is in them, F: their documents, D: studies, E: entries,
# C: conditions, O: orders, S: sensitive, H: held for review, K: kept by an adolescent from his guardian, I: who it is,
# P: the id under which he is known.
PLAIN = set("RFDECO")
_OF_PATIENTS = {"self": PLAIN | set("SKIP"), "all": PLAIN | set("SIP"), "open": PLAIN | set("IP")}
_OF_APPS = {"wide": PLAIN | set("IP"), "narrow": set("CP")}


def may_see(world: World, who: str, mark: Mark) -> bool:
    """Whether this canary may reach this one at all, by whatever route."""
    role, _, of = who.partition("_")
    if mark.owner >= HOUSE:
        return role in {"registrar", "machine", "doctor", "colleague"} and HOUSES[of] == mark.owner - HOUSE
    letter = mark.field[0]
    if mark.field == PERSON and role not in {"patient", "app", "nobody", "stranger"}:
        # By it those who serve people, or run the platform, speak of somebody without naming him.
        return True
    if role == "patient":
        return letter in _OF_PATIENTS.get(_relation(world, of, mark.owner), set())
    if role == "app":
        return mark.owner == world.cast["active"].number and letter in _OF_APPS[of]
    if role in {"doctor", "colleague", "machine", "reader"}:
        is_shared = HOUSES[of] == TREATING and role in world.sharing.get(mark.owner, ())
        return (is_shared and letter in PLAIN | set("HKI")) or (HOUSES[of] == HOME and _is_of_house(world, mark))
    # Desks see who somebody is when they look him up, which the person reads in the log.
    return role == "registrar" and mark.field == IDENTITY


def _relation(world: World, of: str, owner: int) -> str:
    if world.cast[of].number == owner:
        return "self"
    names = {member.number: name for name, member in world.cast.items()}
    return RELATIONS.get(names.get(owner, ""), "") if of == "guardian" else ""


def _is_of_house(world: World, mark: Mark) -> bool:
    """What the house that sent it looks after itself: its orders."""
    return world.houses_of.get(mark.owner) == HOME and mark.field == "OR"
