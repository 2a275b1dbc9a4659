"""What hospital systems send by the older interface, and what they get. Names are the interface's own."""

from datetime import date, datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, SerializeAsAny
from pydantic.alias_generators import to_camel

from core.api import Received, Shown
from core.clock import CITY_ZONE
from health_card.certificates import CertificateType

Req = TypeVar("Req", bound="Request")
Rsp = TypeVar("Rsp", bound="Reply")

_PLAIN = r"^[^\x00-\x1f<>]+$"


def _read_day(sent: object) -> date:
    return _read_time(sent, "%Y-%m-%d", "yyyy-MM-dd").date()


def read_moment(sent: object) -> datetime:
    """A moment in the city, as the interface writes it.

    :raises ValueError: not yyyy-MM-dd HH:mm:ss.
    """
    return _read_time(sent, "%Y-%m-%d %H:%M:%S", "yyyy-MM-dd HH:mm:ss")


def _read_time(sent: object, written: str, shape: str) -> datetime:
    """Only this shape: left alone, pydantic would take numbers for times as well."""
    try:
        return datetime.strptime(str(sent), written).replace(tzinfo=CITY_ZONE)
    except ValueError:
        raise ValueError(f"must be {shape}") from None


Day = Annotated[date, BeforeValidator(_read_day, json_schema_input_type=str), Field(description="yyyy-MM-dd")]
Moment = Annotated[
    datetime,
    BeforeValidator(read_moment, json_schema_input_type=str),
    Field(description="yyyy-MM-dd HH:mm:ss, Asia/Shanghai"),
]
Name = Annotated[str, Field(min_length=1, max_length=50, pattern=_PLAIN)]
Phone = Annotated[str, Field(pattern=r"^(1[3-9][0-9]{9}|\+[1-9][0-9]{5,14})$")]
Text = Annotated[str, Field(max_length=200)]
CodeText = Annotated[str, Field(min_length=1, max_length=400, description="the text of the QR code")]
CardNumber = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$", description="64 hexadecimal digits")]
PatientId = Annotated[str, Field(max_length=32, pattern=_PLAIN, description="this hospital's own patient number")]
Department = Annotated[str, Field(pattern=r"^[0-9]{4}$", description="standard department code, for example 0300")]
MedicalStep = Literal["010101", "010102", "010103", "010104", "010105", "010106", "010107"]
Scene = Literal["0101011", "0101012", "0101021", "0101051", "0101053", "0101081", "0101082", "0101083", "010109"]
CardChannel = Literal["0100", "0200", "0300", "0401", "0402"]
CardCostType = Literal["0100", "0200", "0300", "0000"]


class Request(Received):
    """The ``req`` of an operation."""

    model_config = ConfigDict(alias_generator=to_camel)


class Reply(Shown):
    """The ``rsp`` of an operation."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class CommonIn(Request):
    app_token: str = Field("", max_length=128, description="from getAppToken; empty for getAppToken itself")
    request_id: str = Field(pattern=r"^[!-~]{8,64}$", description="a new one for every request")
    hospital_id: str = Field(pattern=r"^[!-~]{1,64}$", description="organisation code of the hospital")
    timestamp: str | int = Field(description="Unix seconds")
    channel_num: str | int = Field(0, description="0 service account, 1 mini-program, 3 face terminal, 4 code terminal")
    sign: str = Field(min_length=1, max_length=128)
    relate_app_id: Text = Field("", description="accepted and not used")
    relate_open_id: Text = Field("", description="accepted and not used")


class Sent(Received, Generic[Req]):
    """A request."""

    common_in: CommonIn = Field(alias="commonIn")
    req: Req


class CommonOut(Reply):
    request_id: str = Field(description="that of the request; empty when it could not be read")
    result_code: int = Field(description="0 success; see docs/interfaces/tencent.md")
    err_msg: str = Field(description="what is wrong and what to do, Chinese and English, and our refusal code")


class Answer(Reply, Generic[Rsp]):
    """An answer."""

    common_out: CommonOut
    rsp: SerializeAsAny[Rsp | "Nothing"]


class Nothing(Reply):
    """An empty ``rsp``."""


class AppTokenRequest(Request):
    app_id: str = Field(min_length=1, max_length=64)


class TokenShown(Reply):
    app_token: str
    expires_in: int = Field(description="seconds")


class ChildInfo(Request):
    """Parents of a child. Of a newborn without a number they say which child it is; otherwise checked and not kept:
    who acts for a child is proved on the phone or at a desk."""

    mother_name: Text = ""
    mother_id_type: CertificateType | None = None
    mother_id_number: Text = ""
    mother_nation: Text = ""
    mother_country: Text = ""
    mother_birth_day: Text = ""
    mother_phone: Text = ""
    mother_address: Text = ""
    father_name: Text = ""
    father_id_type: CertificateType | None = None
    father_id_number: Text = ""
    father_nation: Text = ""
    father_country: Text = ""
    father_birth_day: Text = ""
    father_phone: Text = ""
    father_address: Text = ""
    parity: Text = Field("", description="of a newborn of a multiple birth: which of its children, 1 to 9")
    multiple_births_flag: str | int = Field("", description="of a newborn: 1 of a multiple birth, 0 or empty alone")
    birth_time: Text = Field("", description="of a newborn: yyyy-MM-dd HH:mm:ss, Asia/Shanghai")


class ClientInfo(Request):
    ip: Text = ""
    referer: Text = ""
    user_agent: Text = ""


class Registration(Request):
    wechat_code: str = Field(
        "", max_length=128, description="wx.login code of the platform's mini-program; empty: at a window, no phone"
    )
    name: Name
    gender: Literal["男", "女"]
    nation: str = Field(max_length=20, description="汉族 ...: the 56 of GB/T 3304, 其他, 外国血统中国籍人士")
    birthday: Day
    id_type: CertificateType | None = Field(
        None, description="WS 364.3 CV02.01.101, for example 01; required, but for a newborn that has none"
    )
    id_number: str | None = Field(None, min_length=4, max_length=32, description="as idType")
    phone1: Phone
    phone2: Text = Field("", description="accepted and not kept")
    address: str | None = Field(None, max_length=200, pattern=_PLAIN)
    citycode: Text = Field("", description="accepted and not kept")
    relation: Text = Field(
        "",
        description="with wechatCode, what the person is to its owner: empty, 0, 01 or 本人 himself; 10 to 12 spouse, "
        "20 to 39 child, 50 to 59 parent, 40 to 49 and 60 to 99 other (GB/T 4761), or the word; otherwise not used",
    )
    patid: PatientId | None = None
    open_id: Text = Field("", description="accepted and not kept")
    child_info: ChildInfo | None = None
    client_info: ClientInfo | None = None
    ip: Text = ""
    referer: Text = ""
    user_agent: Text = ""
    wechat_url: Text = ""
    ext: Text = Field("", description="accepted and not kept")


class Registered(Reply):
    qr_code_text: str = Field(description="static code")
    health_card_id: str = Field(description="the card's number, 64 hexadecimal digits")
    phid: str = Field(description="id of the person in the master index")
    admin_ext: str = ""


class Batch(Request):
    health_card_items: list[Registration] = Field(min_length=1, max_length=15)


class BatchItem(Reply):
    id_number: str
    id_type: str
    qr_code_text: str
    health_card_id: str


class FailedItem(Reply):
    id_number: str
    id_type: str
    result_code: int
    err_msg: str


class BatchDone(Reply):
    rsp_items: list[BatchItem] = Field(description="those that have a card now, in order")
    failed_items: list[FailedItem] = Field(
        description="the others, each with its reason; not in the original interface"
    )


class ByHealthCode(Request):
    health_code: str = Field(min_length=1, max_length=64, description="one-time authorisation from the phone")


class ByQRCode(Request):
    qr_code_text: CodeText


class ByHealthCardId(Request):
    health_card_id: CardNumber


class Card(Reply):
    qr_code_text: str = Field(description="static code")
    name: str
    gender: str = Field(description="男, 女 or 未知")
    nation: str
    birthday: str
    relation: str = ""
    id_type: str
    id_number: str
    address: str
    phone1: str
    phone2: str = ""
    phid: str
    patid: str
    health_card_id: str
    verify_status: str = Field(description="1: identity proved by document, bank or face; 0: asserted")
    admin_ext: str = ""
    ext: str = ""


class HealthCardShown(Reply):
    card: Card


class QRCodeRequest(Request):
    health_card_id: CardNumber
    id_type: CertificateType
    id_number: str = Field(min_length=4, max_length=32)
    code_type: Literal["0", "1"] = Field("0", description="0 dynamic, 1 static")


class QRCodeShown(Reply):
    qr_code_text: str
    qr_code_img: str = Field(description="PNG in Base64")
    color: int = Field(0, description="always 0: cards have no colour")
    health_card_id: str


class Binding(Request):
    patid: PatientId
    qr_code_text: CodeText


class Bound(Reply):
    result: bool


class Verification(Request):
    qr_code_text: CodeText
    terminal_id: str = Field(min_length=1, max_length=32, description="enrolled terminal of this hospital")
    medical_step: MedicalStep
    time: Moment | None = None
    department: Department | None = Field(
        None, description="standard code, for example 0300; with it a visit is opened or continued"
    )
    id_card: str = Field("", max_length=32, description="certificate number as read; needed with a static code")
    channel_code: Text = ""
    use_city_code: Text = ""
    use_city_name: Text = ""
    hospital_code: Text = Field("", description="when sent, this hospital's own")
    hospital_name: Text = ""
    qr_code_type: Text = ""
    org_id: Text = ""
    name: Text = ""
    use_type: Text = ""


class Verified(Reply):
    """Of a static code name, number and phone are masked, and the address is empty."""

    name: str
    gender: str
    nation: str
    birthday: str
    phone: str
    address: str
    id_type: str
    id_number: str
    health_card_id: str
    phid: str
    verify_status: str = Field(description="1: identity proved by document, bank or face; 0: asserted")
    visit_id: str = Field(description="the visit that was opened or continued; empty without a department")


class UseReport(Request):
    qr_code_text: CodeText | None = Field(None, description="or idCardNumber and name")
    id_card_number: str = Field("", max_length=32)
    id_card_type: CertificateType = CertificateType.RESIDENT_ID
    name: str = Field("", max_length=50)
    time: Moment
    hospital_code: str = Field(min_length=1, max_length=64, description="this hospital's own")
    sub_hospital_code: Text = ""
    scene: Scene
    service_id: Text = ""
    department: Department | None = None
    card_type: Literal["11"] = Field(description="11 electronic health card")
    card_channel: CardChannel = Field(
        description="0100 window, 0200 kiosk, 0300 doctor, 0401 service account, 0402 app"
    )
    card_cost_types: CardCostType | None = Field(None, description="0100 self, 0200 insurance, 0300 public, 0000 other")


# For the operator.


class NewAccess(Received):
    hospital_code: str = Field(min_length=1, max_length=64, description="organisation code")


class AccessPath(Received):
    app_id: str = Field(pattern=r"^[0-9a-z]{1,64}$")


class AccessChange(Received):
    is_enabled: bool = Field(description="switched off, it and its token are out at once")
    shows_dynamic_codes: bool = Field(description="may show dynamic codes of cards that it registered on a phone")


class TencentAccessShown(Shown):
    app_id: str
    hospital_id: str = Field(description="what stands in commonIn.hospitalId: the organisation code")
    hospital_name: str
    is_enabled: bool
    shows_dynamic_codes: bool
    created_at: datetime


class AccessList(Shown):
    apps: list[TencentAccessShown]


class AccessSecret(Shown):
    app_id: str
    hospital_id: str
    app_secret: str = Field(description="shown this once")
