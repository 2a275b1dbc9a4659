"""Whether a message came before is found by indexes, however many came."""

from sqlalchemy import text

from core import db, statements
from records.intake import service as intake
from records.intake.service import Arrival
from tests.support.city import City


def test_each_question_about_a_message_is_a_look_at_an_index(city: City) -> None:
    arrival = Arrival("hl7v2", b"MSH|", "x-application/hl7-v2+er7", "K1")
    asked = intake.ask_known(city.machine(city.hospital()).actor, {0: arrival})
    with db.transaction() as session:
        # Whatever an index can find it is asked for, also in a table of few rows.
        session.execute(text("SET LOCAL enable_seqscan = off"))
        lines = [row[0] for row in statements.list_rows(session, f"EXPLAIN {intake.KNOWN}", asked)]
    plan = "\n".join(lines)
    assert "Seq Scan" not in plan, plan
    assert "hashed" not in plan, plan
    assert "uq_inbound_messages_key" in plan, plan
    assert "ix_inbound_messages_not_filed" in plan, plan
