"""Between the interface's words and the platform's own."""

import base64

from core.api import Shown
from health_card import codes, pictures
from health_card.certificates import check_certificate
from health_card.masks import mask_name, mask_number, mask_phone
from health_card.models import Assurance
from health_card.models import Card as CardRow
from health_card.nations import NATIONS, find_nation_code
from health_card.service.codes import ShownCode
from health_card.service.demographics import PlainDemographics
from health_card.service.identities import Details
from health_card.tencent.refusals import FieldInvalid, FieldMissing, NewbornElsewhere
from health_card.tencent.schemas import Card, CodeShown, Registered, Registration, Verified

_SEXES = {"男": "male", "女": "female"}
_GENDERS = {sex: gender for gender, sex in _SEXES.items()} | {"unknown": "未知"}

# Who a wechatCode may register by this interface: its owner, as the code lists of relations write it.
SELF_RELATIONS = frozenset({"", "0", "01", "本人"})


class Person(Shown):
    """What cards and verifications tell of a person."""

    name: str
    gender: str
    nation: str
    birthday: str
    phone: str
    address: str
    id_type: str
    id_number: str
    verify_status: str


def read_details(sent: Registration) -> Details:
    """What a registration says of a person.

    :raises FieldMissing: no certificate.
    :raises NewbornElsewhere: a child of its parents, without a certificate of its own.
    :raises FieldInvalid: no such ethnic group.
    :raises CertificateInvalid: the number cannot be one of its type.
    """
    if sent.id_type is None or sent.id_number is None:
        raise NewbornElsewhere if sent.child_info else FieldMissing(["req.idType and req.idNumber"])
    nation = find_nation_code(sent.nation)
    if nation is None:
        raise FieldInvalid(["req.nation: must be a name of GB/T 3304, such as 汉族, or 其他"])
    return Details(
        name=sent.name,
        phone=sent.phone1,
        certificate=check_certificate(sent.id_type, sent.id_number),
        sex=_SEXES[sent.gender],
        birth_date=sent.birthday,
        nation=nation,
        address=sent.address,
    )


def describe_registered(card: CardRow, phid: str, issuer: str) -> Registered:
    """A registration's outcome."""
    return Registered(
        qr_code_text=codes.write_static(card.number, issuer), health_card_id=card.number, phid=phid, admin_ext=""
    )


def describe_card(card: CardRow, plain: PlainDemographics, *, phid: str, patid: str | None, issuer: str) -> Card:
    """The card as the interface shows it, with nothing masked."""
    person = describe_person(plain, masked=False)
    return Card(
        qr_code_text=codes.write_static(card.number, issuer),
        phone1=person.phone,
        phid=phid,
        patid=patid or "",
        health_card_id=card.number,
        **person.model_dump(exclude={"phone"}),
    )


def describe_verified(card: CardRow, plain: PlainDemographics, *, phid: str, masked: bool) -> Verified:
    """Whose code was verified."""
    return Verified(health_card_id=card.number, phid=phid, **describe_person(plain, masked=masked).model_dump())


def describe_person(plain: PlainDemographics, *, masked: bool) -> Person:
    """A person in the interface's words; what is not known is empty."""
    number = plain.certificate_number or ""
    return Person(
        name=mask_name(plain.name) if masked else plain.name,
        gender=_GENDERS[plain.sex],
        nation=NATIONS.get(plain.nation or "", ""),
        birthday=plain.birth_date.isoformat() if plain.birth_date else "",
        phone=mask_phone(plain.phone) if masked else plain.phone,
        address="" if masked else plain.address or "",
        id_type=plain.certificate_type or "",
        id_number=mask_number(number) if masked else number,
        verify_status="0" if plain.assurance == Assurance.ASSERTED else "1",
    )


def describe_code(card: CardRow, shown: ShownCode) -> CodeShown:
    """A code as text and picture."""
    picture = base64.b64encode(pictures.draw_png(shown.text)).decode()
    return CodeShown(qr_code_text=shown.text, qr_code_img=picture, color=0, health_card_id=card.number)
