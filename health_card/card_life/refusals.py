"""How a card is not changed."""

from core.errors import Conflict, Forbidden


class CardStateForbids(Conflict):
    code = "health_card.card_state_forbids"
    title = "健康卡当前的状态不能这样办理"
    detail = "The card's state (`state`) does not allow this: see the table of card states in docs/interfaces/desk.md."


class CardReplaced(Conflict):
    code = "health_card.card_replaced"
    title = "这张健康卡已换发,请使用新卡"
    detail = "This card was replaced by a new one, perhaps a moment ago. Ask for the list of cards again."


class CardActForbidden(Forbidden):
    code = "health_card.card_act_forbidden"
    title = "此项业务不能由您办理"
    detail = "This change of a card is made by somebody else: the holder, a desk, or the platform itself."


class RestoreNeedsDesk(Conflict):
    code = "health_card.restore_needs_desk"
    title = "挂失不是由本微信办理的,请携证件到医院窗口办理"
    detail = "Only the login that reported the card lost may restore or replace it by phone. Any desk can, by document."
