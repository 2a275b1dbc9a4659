"""How share links say no."""

from core.errors import Conflict, Invalid, NotFound, Unauthenticated


class PasscodeTooSimple(Invalid):
    code = "consent.passcode_too_simple"
    title = "口令过于简单,请换一个"
    detail = "Equal digits, or digits in a row up or down, are the first that anybody tries. Choose another passcode."


class ShareLinkNotFound(NotFound):
    code = "consent.share_link_not_found"
    title = "没有找到这条分享链接"
    detail = "No such share link of a person for whom the signed-in login decides."


class ShareLinkEnded(Conflict):
    code = "consent.share_link_ended"
    title = "这条分享已结束,请重新创建"
    detail = "The link has expired or was revoked, which is final. Make a new one."


class ShareLinkAtItsEnd(Conflict):
    code = "consent.share_link_at_its_end"
    title = "这条分享已达到最长期限,请重新创建"
    detail = "A link lasts at most 90 days from its making, however often it is extended. Make a new one."


class ShareLinkClosed(NotFound):
    """One answer for all of it: who holds an address learns nothing about whether, and why, it ended."""

    code = "consent.share_link_closed"
    title = "这条分享链接不可用"
    detail = (
        "No such link, or it has expired, was revoked, is suspended, was opened as often as it may be, or too many "
        "wrong passcodes were tried. Ask whoever sent it for a new one."
    )


class SharePasscodeWrong(Unauthenticated):
    """The try counts although the request is refused."""

    keeps_changes = True
    code = "consent.share_passcode_wrong"
    title = "口令不正确"
    detail = "The passcode is wrong; see `remainingAttempts`. After the last try the link stays closed."


class ShareOpeningEnded(Unauthenticated):
    code = "consent.share_opening_ended"
    title = "本次查看已结束,请重新打开分享链接"
    detail = "The page session of this link has run out, or what was shared has ended. Open the link's address again."
