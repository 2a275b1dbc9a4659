"""How a correction is refused."""

from core.errors import Conflict, NotFound


class CertificateNotFound(NotFound):
    code = "health_card.certificate_not_found"
    title = "没有找到这份证件"
    detail = "No such current certificate of this person. One that came through a merged record cannot be made primary."


class CertificateKnown(Conflict):
    code = "health_card.certificate_known"
    title = "该证件已登记在此患者名下"
    detail = "This certificate is, or was, this person's already; it leads to the person without being added again."


class CertificateOfAnother(Conflict):
    """The claim stays: both records come before the operator, who decides whether they are one person."""

    keeps_changes = True
    code = "health_card.certificate_of_another"
    title = "该证件已登记在另一人名下,已转平台核查"
    detail = (
        "This certificate leads to another record. Nothing was changed; whether both records are one person is "
        "reviewed by the platform. Check the document again meanwhile."
    )


class SecondResidentId(Conflict):
    code = "health_card.second_resident_id"
    title = "此患者已有居民身份证,一人只有一个身份证号"
    detail = "A person has one resident ID number. When the recorded one is wrong, replace it (reason mistake)."
