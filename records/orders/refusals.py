"""How an order is refused. The message is kept whole in quarantine."""

from core.errors import Conflict


class OrderOfAnotherPerson(Conflict):
    keeps_changes = True
    code = "records.order_of_another_person"
    title = "同一申请单号已登记在另一位患者名下,已转入待处理"
    detail = (
        "An order with this placer number was placed for another person. The message is kept in quarantine; correct "
        "the patient or the number and send it as a new message."
    )
