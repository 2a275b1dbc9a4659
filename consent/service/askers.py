"""With whose eyes somebody looks."""

from core.actor import Actor, ActorKind


def login_behind(actor: Actor) -> Actor:
    """A patient's own login, or the one that let an app in: it never sees more than that login would."""
    if actor.kind is ActorKind.PATIENT:
        return actor
    if actor.on_behalf_of is None:
        raise RuntimeError(f"no login stands behind {actor.kind}")
    return Actor(ActorKind.PATIENT, actor.on_behalf_of, frozenset())


def is_of_login(actor: Actor) -> bool:
    """Whether a login stands behind the one who asks, and not a hospital."""
    return actor.kind in {ActorKind.PATIENT, ActorKind.APP}
