"""Hospital systems sign in with a signed assertion (OAuth 2 client credentials, private_key_jwt)."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.assertions import check_assertion, read_claimed_client
from accounts.models import Hospital, MachineClient, SpentAssertion
from accounts.refusals import ClientAssertionInvalid, ScopeNotAllowed
from accounts.service.spending import is_first_use
from accounts.tokens import MACHINE_LIFE, AccessToken, issue_token
from core import audit
from core.actor import Actor, ActorKind


def issue_machine_token(
    session: Session, *, assertion: str, scope: str | None, issuer: str, token_url: str
) -> tuple[AccessToken, str]:
    """Check a client assertion (RFC 7523; SMART Backend Services) and issue a token.

    :param scope: space-separated; all of the client's scopes when left out.
    :returns: the token and the scope that it carries.
    :raises ClientAssertionInvalid: unknown client, or the assertion does not hold.
    :raises ScopeNotAllowed: more was asked for than is registered.
    """
    try:
        client = _find_client(session, read_claimed_client(assertion))
        proven = check_assertion(assertion, client_id=client.client_id, jwks=client.jwks, audience=token_url)
    except ValueError as error:
        raise ClientAssertionInvalid from error
    granted = tuple(scope.split()) if scope else tuple(client.scopes)
    if not set(granted) <= set(client.scopes):
        raise ScopeNotAllowed
    if not is_first_use(session, SpentAssertion.client_id, client.id, jti=proven.jti, expires_at=proven.expires_at):
        raise ClientAssertionInvalid
    token = issue_token(
        session, issuer=issuer, subject_kind="machine", subject_id=client.id, life=MACHINE_LIFE, scopes=granted
    )
    who = Actor(ActorKind.MACHINE, client.id, frozenset(), hospital_id=client.hospital_id)
    audit.record_act(session, who, "accounts.client.signed_in", of=("machine_client", client.id))
    return token, " ".join(granted)


def _find_client(session: Session, client_id: str) -> MachineClient:
    client = session.scalar(
        select(MachineClient)
        .join(Hospital, Hospital.id == MachineClient.hospital_id)
        .where(MachineClient.client_id == client_id)
        .where(MachineClient.is_enabled.is_(True), Hospital.is_enabled.is_(True))
    )
    if client is None:
        raise ClientAssertionInvalid
    return client
