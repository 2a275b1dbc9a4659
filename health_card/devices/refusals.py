"""How certifying devices says no."""

from core.errors import Conflict, NotFound


class DeviceKeySpent(Conflict):
    code = "health_card.device_key_spent"
    title = "该设备密钥已停用,请重新绑定"
    detail = "This key was revoked, or another login brought it for this card. Make a new key pair on the phone."


class DeviceNotFound(NotFound):
    code = "health_card.device_not_found"
    title = "没有找到这台设备"
    detail = "No such device of a card of the signed-in login."
