"""A patient lets an app read his records, or those of a child or ward, and takes it back."""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from accounts.apps import service as apps
from accounts.apps.service import Agreement, AuthorizationView, RequestFile
from consent.apps.refusals import AppAccessNotFound, AppPersonNotAllowed
from core.actor import Actor
from health_card import service as health_card


@dataclass(frozen=True)
class Choice:
    """A person whose records the login may let an app read. ``name``: masked."""

    person_id: UUID
    name: str
    is_self: bool


@dataclass(frozen=True)
class AskedOf:
    """A request, and the persons among whom the login chooses."""

    file: RequestFile
    persons: list[Choice]


@dataclass(frozen=True)
class AppAccess:
    """What an app may read, and whose. ``person_name``: masked."""

    authorization: AuthorizationView
    person_name: str


def take_up_request(session: Session, actor: Actor, *, number: str) -> AskedOf:
    """See what an app asks for, by the number that its page shows. Nobody else can answer it afterwards.

    :raises AppRequestNotFound: no request with this number waits for this login.
    """
    file = apps.take_up_request(session, actor, number=number)
    return AskedOf(file, _list_choices(session, actor))


def agree(
    session: Session, actor: Actor, request_id: UUID, *, person_id: UUID, scopes: list[str] | None, sensitive: bool
) -> Agreement:
    """Let the app read this person's records.

    :param scopes: of those asked for; None: all of them.
    :param sensitive: also what is labelled sensitive.
    :raises AppPersonNotAllowed: not a person whom the login decides for.
    :raises AppRequestNotFound: no request waits for this login's answer, or nothing is left of what it asks for.
    """
    roots = health_card.list_roots(session, {person_id})
    choices = _list_choices(session, actor)
    if roots.get(person_id) not in {choice.person_id for choice in choices}:
        raise AppPersonNotAllowed
    return apps.agree(
        session,
        actor,
        request_id,
        person_id=roots[person_id],
        user_id=next((choice.person_id for choice in choices if choice.is_self), None),
        scopes=scopes,
        sensitive=sensitive,
    )


def decline(session: Session, actor: Actor, request_id: UUID) -> None:
    """Let the app read nothing.

    :raises AppRequestNotFound: no request waits for this login's answer.
    """
    apps.decline(session, actor, request_id)


def list_accesses(session: Session, actor: Actor) -> list[AppAccess]:
    """The apps that may read, or could, of the persons for whom the login decides; newest first."""
    found = apps.list_authorizations(session, health_card.confided_person_ids(actor))
    return [_name(session, one) for one in found]


def revoke_access(session: Session, actor: Actor, *, access_id: UUID) -> AppAccess:
    """End what an app may read of a person, from the next request on: on every device of his, and of who let it in.

    Revoking again changes nothing.

    :raises AppAccessNotFound: none of a person for whom the login decides.
    """
    confided = health_card.confided_person_ids(actor)
    asked = apps.find_authorization(session, access_id, confided)
    if asked is None:
        raise AppAccessNotFound
    same = health_card.same_person_ids(asked.person_id)
    apps.end_authorizations(session, actor, app_id=asked.app_id, person_ids=same, reason="revoked")
    ended = apps.find_authorization(session, access_id, confided)
    return _name(session, ended or replace(asked, status="ended"))


def _list_choices(session: Session, actor: Actor) -> list[Choice]:
    confided = set(session.scalars(health_card.confided_person_ids(actor)))
    roots = set(health_card.list_roots(session, confided).values())
    held = [(root, health_card.find_holding(session, actor, root)) for root in sorted(roots)]
    choices = [
        Choice(root, health_card.get_demographics(session, root).name, holding.is_self)
        for root, holding in held
        if holding and (holding.is_self or holding.relation in health_card.GUARDIAN_RELATIONS)
    ]
    return sorted(choices, key=lambda choice: not choice.is_self)


def _name(session: Session, authorization: AuthorizationView) -> AppAccess:
    return AppAccess(authorization, health_card.get_demographics(session, authorization.person_id).name)
