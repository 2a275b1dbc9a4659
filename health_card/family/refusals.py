"""How the family part of health_card says no."""

from core.errors import Conflict, Invalid, NotFound


class RegisterYourselfFirst(Conflict):
    code = "health_card.register_yourself_first"
    title = "请先完成本人的实名登记"
    detail = "This login has no confirmed person of its own yet. Register it, or let a desk confirm it, first."


class FamilyFull(Conflict):
    code = "health_card.family_full"
    title = "家庭成员已达上限"
    detail = "This login holds as many persons as it may, itself included; see `limit`. Leave one to add another."


class GuardiansComplete(Conflict):
    code = "health_card.guardians_complete"
    title = "该儿童已有两位监护人"
    detail = "A child has at most two guardians. One of them can leave or hand over, or a desk can end an unproven one."


class LastGuardian(Conflict):
    code = "health_card.last_guardian"
    title = "您是该儿童唯一的监护人,请先移交"
    detail = "The last guardian of a child under 14 cannot leave. Hand the child over to another login first."


class SelfCannotLeave(Conflict):
    code = "health_card.self_cannot_leave"
    title = "不能退出本人"
    detail = "A login cannot stop being its own person. A desk can end a login that is not this person's."


class HolderNotFound(NotFound):
    code = "health_card.holder_not_found"
    title = "没有找到这位家庭成员"
    detail = "No such holder of the signed-in login; at a desk: none that this document's owner is or has."


class RelationDoesNotFit(Invalid):
    code = "health_card.relation_does_not_fit"
    title = "所选关系与年龄或身份不符"
    detail = (
        "Nobody is his own relative; under 18 only a guardian acts (relation child or ward); an adult ward needs a "
        "court paper at a desk; who is 14 or older is not handed over but asked."
    )


class BirthDateMissing(Invalid):
    code = "health_card.birth_date_missing"
    title = "请填写出生日期"
    detail = "A child's age decides who acts for it: send birth_date when the certificate number does not tell it."


class NotANewborn(Invalid):
    code = "health_card.not_a_newborn"
    title = "仅限一周岁以内、尚无证件的新生儿"
    detail = "Without a certificate only a child before its first birthday is registered; birth dates are not ahead."


class InvitationNotInForce(NotFound):
    code = "health_card.invitation_not_in_force"
    title = "邀请无效、已使用、已撤回或已过期"
    detail = (
        "Unknown, used, withdrawn, older than 24 hours, or the inviter does not act for this person any more. Ask for "
        "a new one."
    )


class ProofDoesNotFit(Invalid):
    code = "health_card.proof_does_not_fit"
    title = "证明材料不足以确认该关系"
    detail = (
        "self: the person's own identity document, in person. Child or ward under 14: birth certificate, household "
        "book, court paper, or the birth record of the hospital of birth. From 14 the minor is also present. Adults "
        "are present with both documents; an adult ward needs a court paper. `phone` instead of an identity document: "
        "the person himself was identified by a login of his own that a desk has confirmed before."
    )


class HolderProven(Conflict):
    code = "health_card.holder_proven"
    title = "该关系已由窗口核验,不能在此撤销"
    detail = "A desk has checked the proof of this holder. He leaves himself, hands over, or the person ends it."


class CertificateGivenAlready(Conflict):
    code = "health_card.certificate_given_already"
    title = "该儿童已有证件,请按更正办理"
    detail = "This child has a certificate of this type already. A desk can correct or renew it."
