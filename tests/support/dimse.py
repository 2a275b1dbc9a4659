"""A listener for images at work, and a PACS that speaks to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import Flask
from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]
from sqlalchemy import select

from core import db
from records.dimse import listener
from records.dimse.listener import Limits
from records.images.models import Instance
from records.intake.models import InboundMessage
from tests.support.city import City, Hospital, Patient

FEW = Limits(associations=3, connections=6, pdu_bytes=64 * 1024, wait_seconds=60.0)
QUICK = replace(FEW, wait_seconds=2.0)


@dataclass(frozen=True)
class Receiving:
    """A listener at work, one hospital's port, and a patient whom that hospital knows as ``number``."""

    city: City
    hospital: Hospital
    patient: Patient
    number: str
    port: int

    @contextmanager
    def association(self, *images: Dataset, calling: str = "PACS", **options: Any) -> Iterator[Association]:
        """An association of the PACS; whether it was let in says itself."""
        entity = AE(calling)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
        for kind in (Verification, StorageCommitmentPushModel):
            entity.add_requested_context(kind)
        for image in images:
            entity.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
        opened = entity.associate("127.0.0.1", self.port, ae_title="YIMATONG", **options)
        connection = opened.dul.socket.socket if opened.dul.socket else None
        try:
            yield opened
        finally:
            if opened.is_established:
                opened.release()
            # pynetdicom leaves it open when the other side was first to close.
            if connection is not None:
                connection.close()

    def stored(self) -> dict[str, bytes]:
        """SOP instance UID and SHA-256 of what has been filed."""
        mine = select(Instance.sop_instance_uid, Instance.sha256).filter_by(hospital_id=self.hospital.id)
        with db.transaction() as session:
            return dict(session.execute(mine).tuples().all())

    def waiting(self) -> list[str]:
        """The reasons of what waits in quarantine."""
        mine = select(InboundMessage.reason).filter_by(state="quarantined", hospital_id=self.hospital.id)
        with db.transaction() as session:
            return [str(reason) for reason in session.scalars(mine.order_by(InboundMessage.id))]


@contextmanager
def serving(app: Flask, limits: Limits = FEW) -> Iterator[None]:
    """A listener in a thread of its own, as in the worker."""
    stop = threading.Event()
    thread = threading.Thread(target=partial(listener.serve, app, stop, limits=limits, poll_seconds=0.05))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=60)
        assert not thread.is_alive()
