"""Asking the real-name source what a face or bank check on the phone proved; never inside a transaction."""

from core.config import RealNameAccess
from health_card.realname.refusals import VerificationNotConfigured, VerificationUnavailable
from health_card.realname.service import Identity, Verified
from health_card.realname.source import Method, RealNameSource, RealNameUnavailable


def ask_verification(access: RealNameAccess | None, *, way: Method, token: str, identity: Identity) -> Verified:
    """Whether the check of this token proved this identity.

    :param access: None where no source is connected.
    :raises VerificationNotConfigured: there is no source.
    :raises VerificationUnavailable: it gives no answer that can be believed.
    """
    if access is None:
        raise VerificationNotConfigured
    source = RealNameSource(access)
    ask = source.check_face if way is Method.FACE else source.check_bank
    try:
        answer = ask(token, name=identity.name, certificate_type=identity.certificate_type, number=identity.number)
    except RealNameUnavailable:
        raise VerificationUnavailable from None
    return Verified(answer.method, answer.result, source.name, answer.reference)
