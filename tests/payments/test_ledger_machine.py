"""Any order of charges, repayments, endings and notifications, repeated and shuffled, keeps the ledger's invariants."""

from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from core import db
from core.actor import SYSTEM
from payments import ledger, service
from payments.models import RepaymentState
from tests.payments.till import Notifier, Till, findings
from tests.support.city import City

LIMIT_FEN = 1000
AMOUNTS = st.integers(1, 700)


class Credit(RuleBasedStateMachine):
    """The model: what was charged, what was paid, which repayments are under way."""

    city: ClassVar[City]
    notifier: ClassVar[Notifier]
    repayments = Bundle("repayments")

    def __init__(self) -> None:
        super().__init__()
        self.till = Till.open(self.city, limit_fen=LIMIT_FEN)
        self.charged: dict[str, int] = {}
        self.under_way: dict[str, int] = {}
        self.paid: dict[str, int] = {}
        self.drawn_fen = 0
        self.overpaid_fen = 0

    @rule(amount_fen=AMOUNTS, bill=st.integers(0, 9))
    def capture(self, amount_fen: int, bill: int) -> None:
        number = f"B{bill}"
        reply = self.till.capture(amount_fen, bill_number=number)
        if number in self.charged:
            assert reply.json["code"] == "payments.bill_already_charged"
        elif self.drawn_fen + amount_fen > LIMIT_FEN:
            assert reply.json["code"] == "payments.limit_exceeded"
        else:
            assert reply.status_code == 201
            self.charged[number] = amount_fen
            self.drawn_fen += amount_fen

    @rule(target=repayments, amount_fen=AMOUNTS)
    def repay(self, amount_fen: int) -> Any:
        if amount_fen > max(0, self.drawn_fen - sum(self.under_way.values())):
            assert self.till.repay(amount_fen).json["code"] == "payments.repayment_exceeds_debt"
            return None
        repayment = self.till.open_order(amount_fen)
        self.under_way[repayment.out_trade_no] = amount_fen
        return repayment

    @rule(repayment=repayments)
    def end(self, repayment: Any) -> None:
        if repayment is None:
            return
        with db.transaction() as session:
            service.end_repayment(session, SYSTEM, repayment_id=repayment.id, state=RepaymentState.CLOSED)
        self.under_way.pop(repayment.out_trade_no, None)

    @rule(repayment=repayments, times=st.integers(1, 3), fresh_id=st.booleans())
    def notify(self, repayment: Any, times: int, fresh_id: bool) -> None:
        if repayment is None:
            return
        transaction = self.till.transaction_of(repayment)
        for _ in range(times):
            changes = {} if fresh_id else {"id": repayment.out_trade_no}
            assert self.till.post(self.notifier.tell(transaction, **changes)).status_code == 204
        if repayment.out_trade_no not in self.paid:
            self.paid[repayment.out_trade_no] = repayment.amount_fen
            self.under_way.pop(repayment.out_trade_no, None)
            applied_fen = min(self.drawn_fen, repayment.amount_fen)
            self.drawn_fen -= applied_fen
            self.overpaid_fen += repayment.amount_fen - applied_fen

    @invariant()
    def everything_adds_up(self) -> None:
        line = self.till.line()
        assert line["drawn_fen"] == self.drawn_fen
        assert line["available_fen"] == LIMIT_FEN - self.drawn_fen >= 0
        assert line["payable_fen"] == max(0, self.drawn_fen - sum(self.under_way.values()))
        with db.transaction() as session:
            owed_to_hospital = -ledger.balance_fen(session, ledger.payable(self.till.hospital.id))
            overpaid = -ledger.balance_fen(session, ledger.overpayment(self.till.line_id))
        assert owed_to_hospital == sum(self.charged.values())
        assert overpaid == self.overpaid_fen
        assert owed_to_hospital - sum(self.paid.values()) == self.drawn_fen - self.overpaid_fen
        assert findings() == []


def test_ledger_invariants(city: City, notifier: Notifier) -> None:
    machine = type("CreditInThisCity", (Credit,), {"city": city, "notifier": notifier})
    chosen = settings(
        max_examples=8,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(machine, settings=chosen)
