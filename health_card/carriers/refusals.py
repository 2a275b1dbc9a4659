"""How a carrier is refused."""

from core.errors import Conflict, Invalid, NotFound
from health_card.refusals import CodeRefused


class CarrierNumberInvalid(Invalid):
    code = "health_card.carrier_number_invalid"
    title = "卡号与卡的种类不符,请核对"
    detail = (
        "The number does not fit its kind: social_security_card 9 letters and digits, id_card a resident ID number, "
        "resident_health_card 16 to 20 letters and digits, regional_visit_card 4 to 32."
    )


class CarrierUnknown(CodeRefused):
    code = "health_card.carrier_unknown"
    title = "这张卡没有绑定健康卡,或已解除绑定"
    detail = "No card of this kind and number is bound. Look the person up by document and bind it, or scan the code."


class CarrierTaken(Conflict):
    code = "health_card.carrier_taken"
    title = "这张卡已绑定给另一位患者"
    detail = "A living carrier with this kind and number leads to another person. Check whose card it is."


class CarrierNotFound(NotFound):
    code = "health_card.carrier_not_found"
    title = "没有找到这张已绑定的卡"
    detail = "No such carrier of this person."


class CarrierNotTheirs(Conflict):
    code = "health_card.carrier_not_theirs"
    title = "身份证号码不是该患者的,不能绑定"
    detail = "An ID card is bound to the person whose current resident ID number it carries, to nobody else."
