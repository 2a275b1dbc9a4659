"""A thousand codes and fifty threads: each code has exactly one winner."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from flask import Flask
from sqlalchemy import func, select

from accounts import service as accounts
from core import clock, db
from core.actor import SYSTEM
from health_card import codes
from health_card.models import Card, CodeRedemption
from health_card.service import scans
from health_card.service.codes import signer
from tests.support.city import City, Patient

CODES, THREADS, TRIES = 1000, 50, 2
# Codes a transaction: the commits are not what is tested.
TOGETHER = 5


def write_codes(city: City, patient: Patient) -> list[str]:
    with db.transaction() as session:
        signing = signer(session)
    return [
        codes.write_dynamic(
            signing,
            card_number=patient.card_number,
            epoch=0,
            issuer=city.config.issuer_code,
            issued_at=clock.now(),
        )
        for _ in range(CODES)
    ]


def redeem(app: Flask, card: Card, terminal_id: UUID, texts: list[str], issuer: str) -> list[str]:
    """Those of the codes that this terminal won."""
    won = []
    with app.app_context():
        for begin in range(0, len(texts), TOGETHER):
            with db.transaction() as session:
                for text in texts[begin : begin + TOGETHER]:
                    read = scans.read_genuine(session, text, issuer)
                    _, is_ours = scans.find_or_redeem(session, read, card, terminal_id=terminal_id, at=clock.now())
                    if is_ours:
                        won.append(text)
    return won


def test_1000_codes_and_50_threads_make_1000_winners(committing_city: City) -> None:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    texts, issuer = write_codes(city, patient), city.config.issuer_code
    with db.transaction() as session:
        card = session.get_one(Card, patient.card_id)
        terminals = [
            accounts.enrol_terminal(session, SYSTEM, hospital_id=hospital.id, code=f"N{number:02d}", kind="02")
            for number in range(THREADS)
        ]
    # Each code goes to two threads, which come to it at about the same moment.
    mixed = random.Random(20261122).sample(texts, CODES)
    share = CODES * TRIES // THREADS
    together = threading.Barrier(THREADS)

    def work(number: int) -> list[str]:
        begin = number // TRIES * share
        together.wait()
        return redeem(city.app, card, terminals[number], mixed[begin : begin + share], issuer)

    with ThreadPoolExecutor(THREADS) as pool:
        won = [text for each in pool.map(work, range(THREADS)) for text in each]
    assert Counter(won) == Counter(texts)
    with db.transaction() as session:
        kept = select(func.count(CodeRedemption.id)).where(CodeRedemption.card_id == patient.card_id)
        assert session.scalar(kept) == CODES
