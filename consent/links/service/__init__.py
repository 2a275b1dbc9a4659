"""What other packages may ask of share links."""

from consent.links.refusals import ShareLinkClosed, ShareOpeningEnded, SharePasscodeWrong
from consent.links.service.health_link import encode
from consent.links.service.making import (
    LONGEST,
    NOTICE,
    LinkView,
    MadeLink,
    Wish,
    change_passcode,
    extend_link,
    get_link,
    list_links,
    make_link,
    revoke_link,
)
from consent.links.service.opening import (
    PAGE_LIFE,
    FileRight,
    Knock,
    Opened,
    SharedBy,
    Way,
    get_shared,
    identify_opening,
    open_link,
    promise_file,
    take_file,
)
from consent.links.service.viewers import Viewers, list_viewers

__all__ = [
    "LONGEST",
    "NOTICE",
    "PAGE_LIFE",
    "FileRight",
    "Knock",
    "LinkView",
    "MadeLink",
    "Opened",
    "ShareLinkClosed",
    "ShareOpeningEnded",
    "SharePasscodeWrong",
    "SharedBy",
    "Viewers",
    "Way",
    "Wish",
    "change_passcode",
    "encode",
    "extend_link",
    "get_link",
    "get_shared",
    "identify_opening",
    "list_links",
    "list_viewers",
    "make_link",
    "open_link",
    "promise_file",
    "revoke_link",
    "take_file",
]
