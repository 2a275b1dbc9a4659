"""What other packages may ask of payments."""

from payments.service.charges import Bill, PaymentCode, capture_charge
from payments.service.holds import list_holds
from payments.service.lines import LineView, get_line, list_lines, open_line, open_line_at_desk
from payments.service.products import ProductTerms, create_product, list_products
from payments.service.repayments import (
    OPENED_TOPIC,
    ORDERED_TOPIC,
    OrderIntent,
    begin_order,
    end_repayment,
    find_ordered,
    get_repayment,
    open_repayment,
    record_order,
)
from payments.service.settlement import PaidOrder, accept_notification, settle_repayment
from payments.service.statements import EntryView, list_entries
from payments.service.verification import Finding, verify_ledger

__all__ = [
    "OPENED_TOPIC",
    "ORDERED_TOPIC",
    "Bill",
    "EntryView",
    "Finding",
    "LineView",
    "OrderIntent",
    "PaidOrder",
    "PaymentCode",
    "ProductTerms",
    "accept_notification",
    "begin_order",
    "capture_charge",
    "create_product",
    "end_repayment",
    "find_ordered",
    "get_line",
    "get_repayment",
    "list_entries",
    "list_holds",
    "list_lines",
    "list_products",
    "open_line",
    "open_line_at_desk",
    "open_repayment",
    "record_order",
    "settle_repayment",
    "verify_ledger",
]
