"""The machine interface of devices, for the patient's phone."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card import codes
from health_card.devices import service
from health_card.devices.schemas import DeviceCertified, DeviceKey, DeviceList, DevicePath, DeviceShown
from health_card.schemas import CardPath

api = Api("devices", tag="Health card 健康卡", url_prefix="/api/v1/cards/<uuid:card_id>/devices")


@api.post("", responses={201: DeviceCertified})
@requires("health_card:device:certify")
def certify_device(path: CardPath, body: DeviceKey) -> Response:
    """Certify this phone's key, so that it makes codes without the network for 72 hours; again: 72 hours more"""
    with db.transaction() as session:
        certified = service.certify_device(
            session,
            current_actor(),
            card_id=path.card_id,
            public_key=codes.decode(body.public_key),
            pin=body.pin,
            issuer=current_config().issuer_code,
        )
    return present(DeviceCertified.of(certified), 201)


@api.get("", responses={200: DeviceList})
@requires("health_card:device:certify")
def list_devices(path: CardPath) -> Response:
    """The phones that make codes for this card now"""
    with db.snapshot() as session:
        devices = service.list_devices(session, current_actor(), card_id=path.card_id)
    return present(DeviceList(devices=[DeviceShown.model_validate(device) for device in devices]))


@api.delete("/<uuid:device_id>", responses={204: None})
@requires("health_card:device:certify")
def revoke_device(path: DevicePath) -> Response:
    """End one phone's key; to end all codes of the card at once, revoke its codes"""
    with db.transaction() as session:
        service.revoke_device(session, current_actor(), card_id=path.card_id, device_id=path.device_id)
    return Response(status=204)
