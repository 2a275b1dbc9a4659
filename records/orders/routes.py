"""The machine interface of orders, for those who treat the patient."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.orders import service
from records.orders.schemas import HouseOrders, HouseOrderShown, OrderQuery, Orders, OrderShown
from records.visits.schemas import VisitPath

api = Api("orders", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/orders", responses={200: HouseOrders})
@requires("records:order:read")
def list_house_orders(query: OrderQuery) -> Response:
    """What was ordered at my hospital, newest first"""
    with db.transaction() as session:
        orders = service.list_house_orders(session, current_actor(), **dict(query))
    return present(HouseOrders(orders=[HouseOrderShown.model_validate(order) for order in orders]))


@api.get("/visits/<uuid:visit_id>/orders", responses={200: Orders})
@requires("records:shared_timeline:read")
def list_orders(path: VisitPath) -> Response:
    """What was ordered at a visit of my own hospital, newest first"""
    with db.transaction() as session:
        orders = service.list_orders(session, current_actor(), visit_id=path.visit_id)
    return present(Orders(orders=[OrderShown.model_validate(order) for order in orders]))
