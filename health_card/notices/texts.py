"""The words of every notice.

``{hospital}``, ``{other_hospital}``, ``{terminal}`` and ``{time}`` are filled in when it is shown. Nothing clinical is
ever said: titles, hospital and time also travel through WeChat.
"""

from dataclasses import dataclass

from health_card.notices.models import NoticeKind

# A `thing` of a WeChat template holds so many characters.
LONGEST_THING = 20


@dataclass(frozen=True)
class Text:
    """``body_when_over``: of what is asked for a time, when that has passed."""

    title: str
    body: str
    body_when_over: str | None = None


TEXTS: dict[NoticeKind, Text] = {
    NoticeKind.IDENTIFIED: Text(
        "您的健康卡已被核验",
        "{hospital}（终端 {terminal}）于 {time} 核验了您的健康卡。如果不是您本人在场，请点「不是我」。",
    ),
    NoticeKind.CODE_REPLAYED: Text(
        "有人重复使用您的二维码",
        "{hospital}（终端 {terminal}）于 {time} 出现了您已在{other_hospital}使用过的二维码，我们已拒绝。"
        "请勿把二维码截图给他人。",
    ),
    NoticeKind.CODE_DOUBLE_USED: Text(
        "您的二维码曾被两处使用",
        "{hospital}补传的离线记录中，有一个二维码已在别处使用过。如果不是您本人，请作废所有二维码。",
    ),
    NoticeKind.TWO_PLACES: Text(
        "您的健康卡在两地被使用",
        "几分钟内，{other_hospital}和{hospital}先后核验了您的健康卡。如果其中一处不是您本人，请点「不是我」。",
    ),
    NoticeKind.VISIT_DISOWNED: Text(
        "已按您的声明停止授权",
        "您声明在{hospital}的这次就诊不是本人：该院的查看授权已终止，此前出示的二维码全部作废。",
    ),
    NoticeKind.CARD_LOST: Text("您的健康卡已挂失", "健康卡于 {time} 挂失，二维码全部作废。找回后可以恢复使用。"),
    NoticeKind.CARD_RESTORED: Text("您的健康卡已恢复使用", "健康卡于 {time} 恢复使用。"),
    NoticeKind.CARD_REISSUED: Text("您的健康卡已换发", "健康卡于 {time} 换发，旧卡号及其二维码全部作废。"),
    NoticeKind.CARD_CANCELLED: Text("您的健康卡已注销", "健康卡于 {time} 注销。再次申领即可恢复。"),
    NoticeKind.CARD_PRINTED: Text(
        "您的健康卡已打印",
        "{hospital}核对证件后，于 {time} 打印了您的健康卡。如非您本人办理，请挂失健康卡并联系该院。",
    ),
    NoticeKind.MERGED: Text(
        "您的两份档案已合并",
        "经核对，登记为两人的档案同属于您，已于 {time} 合并。如有不符，请到医院窗口申请撤销。",
    ),
    NoticeKind.UNMERGED: Text("您的档案合并已撤销", "此前合并的两份档案已于 {time} 重新分开。"),
    NoticeKind.DETAILS_CORRECTED: Text("您的登记信息已更正", "登记信息已于 {time} 更正。如非您本人办理，请联系窗口。"),
    NoticeKind.LOGIN_CONFIRMED: Text("微信登录已通过核验", "窗口已核对证件，该微信现在可以使用您的健康卡。"),
    NoticeKind.LOGIN_WAITING: Text(
        "有新的微信申请您的健康卡",
        "另一个微信于 {time} 用您的证件信息登记。未经窗口核对证件，它不能使用您的健康卡。",
    ),
    NoticeKind.PIN_RESET: Text(
        "您的确认密码已清除",
        "{hospital}核对证件后，于 {time} 清除了您的六位确认密码，请在手机上重新设置。如非您本人办理，请联系该院。",
    ),
    NoticeKind.FAMILY_ADDED: Text("您的健康卡已加入家庭", "一位家庭成员的微信自 {time} 起可以使用您的健康卡。"),
    NoticeKind.FAMILY_LEFT: Text("家庭成员已退出", "自 {time} 起，一个微信不再使用您的健康卡。"),
    NoticeKind.GUARDIAN_ENDED: Text("监护人授权已结束", "自 {time} 起，监护人不再代为使用您的健康卡。"),
    NoticeKind.ACTING_ENDED: Text("代办权限已结束", "您对一位家人的代办权限已结束，其健康卡不再显示。"),
    NoticeKind.REAL_NAME_DISAGREED: Text(
        "实名信息核验未通过",
        "您登记的姓名与证件号码核验不一致，健康卡暂停使用。请带证件到医院窗口更正。",
    ),
    NoticeKind.REAL_NAME_AGREED: Text("实名信息核验已通过", "更正后的姓名与证件号码核验一致，健康卡已恢复使用。"),
    NoticeKind.BREAK_GLASS: Text(
        "您的档案被紧急查看",
        "{hospital}于 {time} 因紧急情况查看了您的健康档案，原因已记录并将复核。",
    ),
    NoticeKind.BREAK_GLASS_UNJUSTIFIED: Text(
        "紧急查看经复核不正当",
        "{hospital}复核认定，此前对您健康档案的一次紧急查看不正当，查看权限已终止，平台审计已介入。"
        "您可以在授权记录中查看，并向该院了解处理结果。",
    ),
    NoticeKind.CONFIRMATION_ASKED: Text(
        "医院请您在手机上确认",
        "{hospital}于 {time} 请您确认一项办理。请在 60 秒内打开小程序确认或拒绝；如果不是您本人在办理，请拒绝。",
        "{hospital}于 {time} 请您确认一项办理。60 秒已过，请求已过期，不能再答复；如需办理，请窗口重新发起。",
    ),
    NoticeKind.TURNING_FOURTEEN: Text(
        "满14周岁后需重新授权",
        "这位家庭成员将在 30 天内满14周岁。自生日当天起，监护人的代办权限自动结束，除非孩子本人同意："
        "请一起带关系证明到医院窗口办理，或由孩子用自己的微信登记、核验后接受邀请。",
    ),
    NoticeKind.REPORT_NEW: Text(
        "您有新的检查检验报告", "{hospital}于 {time} 上传了您的检查检验报告，请在健康档案中查看。"
    ),
    NoticeKind.REPORT_AMENDED: Text(
        "您的一份报告已有更改",
        "{hospital}于 {time} 更改了一份已被查看过的检查检验报告，请以最新版本为准。",
    ),
    NoticeKind.ERASURE_OVERDUE: Text(
        "医院逾期未答复删除情况",
        "您的授权结束后，{hospital}须说明如何处理其系统取走的副本，至 {time} 已逾期未答复。我们将继续催告。",
    ),
    NoticeKind.DELETION_ASKED: Text(
        "有人申请删除您的档案",
        "您的健康卡档案于 {time} 被申请删除。冷静期内可随时撤回；期满并经平台双人复核后删除，无法恢复。"
        "如非您本人办理，请立即撤回。",
    ),
    NoticeKind.DELETION_REFUSED: Text(
        "档案删除申请未通过", "平台于 {time} 复核了您的档案删除申请，未予通过，原因见申请记录。"
    ),
    NoticeKind.RECTIFICATION_ANSWERED: Text(
        "医院已答复您的更正申请", "{hospital}于 {time} 答复了您的健康档案更正申请，请查看。"
    ),
    NoticeKind.RECTIFICATION_OVERDUE: Text(
        "您的更正申请逾期未答复", "{hospital}未在期限内答复您的健康档案更正申请，已转平台督办。"
    ),
    NoticeKind.ACCESS_REQUESTED: Text(
        "医院申请查看您的健康档案",
        "{hospital}于 {time} 申请查看您的健康档案。请在小程序中查看申请内容，您可以全部同意、部分同意或拒绝。",
        "{hospital}于 {time} 申请查看您的健康档案。答复期限已过，申请已自动失效，未共享任何内容。",
    ),
    NoticeKind.ACCESS_REMINDED: Text(
        "一项查看申请即将失效",
        "{hospital}申请查看您的健康档案，您尚未答复。到期不答复即视为不同意，不会再次提醒。",
        "{hospital}申请查看您的健康档案，答复期限已过，申请已自动失效，未共享任何内容。",
    ),
    NoticeKind.HOUSE_FIRST_LOOKED: Text(
        "一家医院首次查看您的档案",
        "{hospital}凭您的授权，于 {time} 首次查看了您的健康档案。谁看了什么，见调阅记录；如有疑问，可在那里提出。",
    ),
    NoticeKind.QUESTION_ANSWERED: Text(
        "医院已答复您的调阅疑问", "{hospital}于 {time} 答复了您对一次调阅的疑问。不认可的，可以提交平台复核一次。"
    ),
    NoticeKind.QUESTION_OVERDUE: Text(
        "医院逾期未答复您的疑问", "{hospital}未在期限内答复您对一次调阅的疑问，平台已知悉。您可以提交平台复核。"
    ),
    NoticeKind.QUESTION_CONCLUDED: Text(
        "您的调阅疑问已有复核结论", "平台已于 {time} 复核您对{hospital}一次调阅的疑问，请查看结论。"
    ),
    NoticeKind.EXPORT_READY: Text("您申请的档案导出已完成", "您的健康档案已导出完成，请在七天内下载。"),
    NoticeKind.SHARE_OPENED: Text(
        "您分享的档案已被打开",
        "您的一条分享链接于 {time} 首次被打开。可在「我的分享」中查看是谁打开的；如有疑问，请停止分享。",
    ),
    NoticeKind.SHARE_LOCKED: Text(
        "您的分享链接已锁定",
        "您的一条分享链接于 {time} 因多次输错口令被锁定。如需继续分享，请在「我的分享」中更换口令。",
    ),
}
