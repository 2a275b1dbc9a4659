"""Between the interface's words and the platform's own."""

import base64
import re
from datetime import datetime
from uuid import UUID

from core.api import Shown
from health_card import codes, pictures
from health_card.certificates import Certificate, check_certificate
from health_card.family.service import NewbornDetails
from health_card.masks import mask_name, mask_number, mask_phone
from health_card.models import Assurance, Relation
from health_card.models import Card as CardRow
from health_card.nations import NATIONS, find_nation_code
from health_card.service.codes import ShownCode
from health_card.service.demographics import PlainDemographics
from health_card.service.identities import Details
from health_card.tencent.refusals import FieldInvalid, FieldMissing
from health_card.tencent.schemas import Card, ChildInfo, QRCodeShown, Registered, Registration, Verified, read_moment

_SEXES = {"男": "male", "女": "female"}
_GENDERS = {sex: gender for gender, sex in _SEXES.items()} | {"unknown": "未知"}

# GB/T 4761, by its first digit: what the person is to the owner of the wechatCode. 02 is the head of a household, which
# says nothing of the kind; of one digit alone it is not known which list it is from.
_RELATIONS = {"1": Relation.SPOUSE, "2": Relation.CHILD, "3": Relation.CHILD, "5": Relation.PARENT}
_RELATION_WORDS = {
    **dict.fromkeys(("", "0", "01", "本人"), Relation.SELF),
    **dict.fromkeys(("配偶", "丈夫", "妻子", "夫", "妻"), Relation.SPOUSE),
    **dict.fromkeys(("子女", "儿子", "女儿", "子", "女"), Relation.CHILD),
    **dict.fromkeys(("父母", "父亲", "母亲", "父", "母"), Relation.PARENT),
    **dict.fromkeys(("被监护人",), Relation.WARD),
    **dict.fromkeys(("其他", "祖父母", "外祖父母", "孙子女", "外孙子女", "兄弟姐妹"), Relation.OTHER),
}


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
    :raises FieldInvalid: no such ethnic group.
    :raises CertificateInvalid: the number cannot be one of its type.
    """
    if sent.id_type is None or sent.id_number is None:
        raise FieldMissing(["req.idType and req.idNumber"])
    return Details(
        name=sent.name,
        phone=sent.phone1,
        certificate=check_certificate(sent.id_type, sent.id_number),
        sex=_SEXES[sent.gender],
        birth_date=sent.birthday,
        nation=_read_nation(sent),
        address=sent.address,
    )


def read_newborn(sent: Registration, child: ChildInfo) -> NewbornDetails:
    """What a registration says of a newborn that has no number yet.

    :raises FieldMissing: the mother's certificate, or which child of a multiple birth it is.
    :raises FieldInvalid: no such ethnic group, flag, number of a child or time.
    :raises CertificateInvalid: the mother's number cannot be one of its type.
    """
    return NewbornDetails(
        name=sent.name,
        sex=_SEXES[sent.gender],
        birth_date=sent.birthday,
        birth_order=_read_birth_order(child),
        mother=_read_mother(child),
        born_at=_read_birth_time(child),
        nation=_read_nation(sent),
        address=sent.address,
    )


def read_relation(sent: Registration) -> Relation:
    """What the person is to the owner of the wechatCode, by word or by GB/T 4761.

    :raises FieldInvalid: neither.
    """
    named = _RELATION_WORDS.get(sent.relation)
    if named is None and re.fullmatch("[1-9][0-9]", sent.relation):
        named = _RELATIONS.get(sent.relation[0], Relation.OTHER)
    if named is None:
        raise FieldInvalid(["req.relation: must be empty, 0, two digits of GB/T 4761, or a word such as 配偶 or 子女"])
    return named


def _read_nation(sent: Registration) -> str:
    nation = find_nation_code(sent.nation)
    if nation is None:
        raise FieldInvalid(["req.nation: must be a name of GB/T 3304, such as 汉族, or 其他"])
    return nation


def _read_mother(child: ChildInfo) -> Certificate:
    if child.mother_id_type is None or not child.mother_id_number:
        raise FieldMissing(["req.childInfo.motherIdType and req.childInfo.motherIdNumber"])
    return check_certificate(child.mother_id_type, child.mother_id_number)


def _read_birth_order(child: ChildInfo) -> int:
    """``parity`` counts a mother's births elsewhere, so of a child born alone it is not looked at."""
    flag = str(child.multiple_births_flag)
    if flag in {"", "0"}:
        return 1
    if flag != "1":
        raise FieldInvalid(["req.childInfo.multipleBirthsFlag: must be 0 or 1"])
    if not child.parity:
        raise FieldMissing(["req.childInfo.parity"])
    if not re.fullmatch("[1-9]", child.parity):
        raise FieldInvalid(["req.childInfo.parity: must be 1 to 9, which child of this birth"])
    return int(child.parity)


def _read_birth_time(child: ChildInfo) -> datetime | None:
    try:
        return read_moment(child.birth_time) if child.birth_time else None
    except ValueError:
        raise FieldInvalid(["req.childInfo.birthTime: must be yyyy-MM-dd HH:mm:ss"]) from None


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


def describe_verified(
    card: CardRow, plain: PlainDemographics, *, phid: str, visit_id: UUID | None, masked: bool
) -> Verified:
    """Whose code was verified, and for which visit."""
    person = describe_person(plain, masked=masked).model_dump()
    return Verified(health_card_id=card.number, phid=phid, visit_id=str(visit_id or ""), **person)


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


def describe_code(card: CardRow, shown: ShownCode) -> QRCodeShown:
    """A code as text and picture."""
    picture = base64.b64encode(pictures.draw_png(shown.text)).decode()
    return QRCodeShown(qr_code_text=shown.text, qr_code_img=picture, color=0, health_card_id=card.number)
