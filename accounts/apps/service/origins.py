"""Where pages of apps come from, for browsers that ask before they send."""

from core import statements

# An https address of a registered app, cut off behind host and port.
_KNOWN = """
SELECT 1 FROM apps CROSS JOIN unnest(redirect_uris) AS registered (address)
WHERE is_enabled AND (
    address = %(origin)s OR starts_with(address, %(origin)s || '/') OR starts_with(address, %(origin)s || '?')
)
LIMIT 1
"""


def is_origin_known(origin: str) -> bool:
    """Whether an app in use is answered at an address of this origin. Needs an app context.

    :param origin: ``https://``, host and port as in the registered address.
    """
    return statements.look(_KNOWN, {"origin": origin}) is not None
