"""How a desk is told no."""

from core.errors import Conflict, Invalid, NotFound


class PersonNotFound(NotFound):
    code = "health_card.person_not_found"
    title = "没有登记过持此证件的人"
    detail = "No person is registered with this certificate. Check type and number, or register the person."


class LookUpNotFound(NotFound):
    code = "health_card.look_up_not_found"
    title = "查询已过期,请重新查询患者"
    detail = "No such look-up of this hospital, or it is older than 15 minutes. Look the person up again."


class DocumentNotSeen(Conflict):
    code = "health_card.document_not_seen"
    title = "请先核对患者的证件原件"
    detail = "Nothing is changed before the document was seen: verify it within this look-up (verify-document) first."


class DocumentNotTheirs(Invalid):
    code = "health_card.document_not_theirs"
    title = "证件与该患者不一致"
    detail = "The certificate is not a current one of this person. A renewed one has to be recorded as renewed first."


class DocumentExpired(Invalid):
    code = "health_card.document_expired"
    title = "证件已过有效期"
    detail = "The document that was seen has expired; it proves nothing any more. Ask for one that is valid."


class RecordedDetailsDiffer(Conflict):
    """The look-up that was opened stays: the desk goes on with it to correct what is wrong."""

    keeps_changes = True
    code = "health_card.recorded_details_differ"
    title = "该证件已登记,但登记的信息不同,请核对后更正"
    detail = (
        "This certificate is registered with other details; `fields` names them, and `look_up_id` leads to the person "
        "as recorded. Verify the document there and correct what is wrong, instead of registering again."
    )
