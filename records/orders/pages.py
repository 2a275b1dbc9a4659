"""The orders of a hospital on a page, for its doctors."""

from urllib.parse import urlencode

from flask import Response

from core import db
from core.pages import read_query, show_page
from core.web import Pages, current_actor, requires
from records.orders import service, wording
from records.orders.schemas import OrderQuery

pages = Pages("order_pages", __name__, url_prefix="/orders")


@pages.get("")
@requires("records:order:read")
def show_orders() -> Response:
    """What was ordered here and how it stands; ``?status=`` of one state, ``?since=``, ``?until=`` of days."""
    query = read_query(OrderQuery)
    with db.transaction() as session:
        orders = service.list_house_orders(session, current_actor(), **dict(query))
    dated = {name: str(day) for name in ("since", "until") if (day := getattr(query, name))}
    kept, days = dated | ({"status": query.status} if query.status else {}), urlencode(dated)
    older = urlencode(kept | {"before": str(orders[-1].id)}) if len(orders) == query.limit else None
    return show_page("records/orders.html", orders=orders, query=query, older=older, days=days, states=wording.STATES)
