"""How showings says no."""

from core.errors import Conflict, Forbidden, Invalid, NotFound
from health_card.refusals import CodeRefused


class CardNotShownHere(Forbidden):
    code = "health_card.card_not_shown_here"
    title = "该健康卡近期未在本院出示,请先扫码核验"
    detail = (
        "This hospital may read a card for 30 days after the card was shown to it: have a dynamic code scanned, "
        "or register the person with name, certificate and phone."
    )


class PersonNotFoundHere(NotFound):
    code = "health_card.person_not_found_here"
    title = "没有找到证件号码与姓名相符的持卡人"
    detail = "No card for this certificate number and name. Register the person first, or send the text of a code."


class HealthCodeInvalid(CodeRefused):
    code = "health_card.health_code_invalid"
    title = "健康卡授权码无效或已过期"
    detail = "This authorisation is unknown, used, older than 5 minutes or for another hospital. Ask for a new one."


class HospitalUnknown(Invalid):
    code = "health_card.hospital_unknown"
    title = "没有这个机构代码"
    detail = "No hospital with this organisation code is admitted to the platform. Check the code."


class UseInFuture(Invalid):
    code = "health_card.use_in_future"
    title = "用卡时间晚于当前时间"
    detail = "The card cannot have been used later than now. Check the clock of the hospital system (Asia/Shanghai)."


class DynamicCodeNotAllowed(Conflict):
    code = "health_card.dynamic_code_not_allowed"
    title = "该健康卡不是经本接口登记的,不能代为生成动态码"
    detail = (
        "A hospital system shows dynamic codes only for cards that it registered itself with the patient's wechatCode. "
        "The patient's own phone shows one for every card."
    )
