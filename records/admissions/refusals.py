"""How visits of which a hospital tells are refused. The message is kept whole in quarantine."""

from core.errors import Conflict


class DemographicsDiffer(Conflict):
    keeps_changes = True
    code = "records.demographics_differ"
    title = "消息中的姓名、性别或出生日期与患者不符,已转入待处理"
    detail = (
        "The message leads to a person whose name, sex or birth date is another. What was verified is never changed "
        "by a message; it is kept in quarantine. Correct the identifier, or have the person corrected at a desk."
    )
