"""What arrives on an association: data sets go to sealed files as they come, whatever else is small or is dropped.

pynetdicom would collect a data set in memory, or in clear on the disk.
"""

import io
from typing import Any

from pydicom import uid
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

from core import observe
from core.errors import Refusal
from core.storage import Staged, Staging, StorageFull

LARGEST_INSTANCE_BYTES = 8 * 1024**3
# A request for storage commitment may name ten thousand instances.
LARGEST_OTHER_BYTES = 4 * 1024 * 1024
MOST_WAITING = 8

# What the file meta information says of who wrote it; the same for ever, so that the same data set is the same file.
_WRITER = uid.UID("2.25.199474317104389071541230246563128412041")


class TooMuch(Exception):
    """The other side sends more than anybody needs to."""


class ArrivingDataSet(io.BytesIO):
    """Takes the place of the memory in which pynetdicom collects the data set of a message."""

    def __init__(self, message: DIMSEMessage, association: Association, staging: Staging) -> None:
        super().__init__()
        self._message, self._association, self._staging = message, association, staging
        self._staged: Staged | None = None
        self._refusal: Refusal | None = None

    def write(self, data: Any, /) -> int:
        """Add a piece. What cannot be kept is refused when all has arrived: the other side only hears it then."""
        if not isinstance(self._message, C_STORE_RQ):
            if self.tell() + len(data) > LARGEST_OTHER_BYTES:
                raise TooMuch
            return super().write(data)
        if self._refusal is None:
            try:
                self._keep(data)
            except Refusal as refusal:
                self._refusal = refusal
        return len(data)

    def finish(self) -> Staged:
        """The whole file on the disk.

        :raises StorageFull: no room, now or before.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._staged is None:
            self._keep(b"")
        assert self._staged is not None
        self._staged.finish()
        return self._staged

    def forget(self) -> None:
        """Remove the file, unless it was kept."""
        if self._staged is not None:
            self._staged.forget()
            self._staging.files.remove(self._staged)
            self._staged = None

    def _keep(self, data: bytes) -> None:
        if self._staged is None:
            self._staged = self._staging.new_file()
            self._staged.write(self._write_head())
        self._staged.write(data)
        if self._staged.size_bytes > LARGEST_INSTANCE_BYTES:
            raise StorageFull

    def _write_head(self) -> bytes:
        """The beginning of a file (PS3.10, section 7.1): the data set itself comes without."""
        command, context_id = self._message.command_set, self._message.context_id
        accepted = self._association._accepted_cx.get(context_id or 0)
        meta = FileMetaDataset()
        meta.FileMetaInformationGroupLength, meta.FileMetaInformationVersion = 0, b"\x00\x01"
        meta.MediaStorageSOPClassUID = command.get("AffectedSOPClassUID", "")
        meta.MediaStorageSOPInstanceUID = command.get("AffectedSOPInstanceUID", "")
        meta.TransferSyntaxUID = uid.UID(accepted.transfer_syntax[0] if accepted else "")
        meta.ImplementationClassUID = _WRITER
        head = DicomBytesIO()
        write_file_meta_info(head, meta, enforce_standard=False)
        return bytes(128) + b"DICM" + head.getvalue()


class Conversation(DIMSEServiceProvider):
    """The messages of one association. ``staging``: the data sets that arrive on it."""

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        self.staging = Staging()

    def receive_primitive(self, primitive: P_DATA) -> None:
        """What pynetdicom calls with each piece. What is too much, or makes no sense, ends the association."""
        try:
            if self.message is None:
                if self.msg_queue.qsize() >= MOST_WAITING:
                    raise TooMuch
                self.message = DIMSEMessage()
                self.message.encoded_command_set = _SmallBytes()
                self.message.data_set = ArrivingDataSet(self.message, self.assoc, self.staging)
            super().receive_primitive(primitive)
        except Exception as error:
            # Whatever pynetdicom stumbles over, it would leave the association standing without its reader.
            observe.log.info("dimse.peer_dropped", error=type(error).__name__)
            self.message = None
            self.dul.event_queue.put("Evt19")


class _SmallBytes(io.BytesIO):
    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > LARGEST_OTHER_BYTES:
            raise TooMuch
        return super().write(data)
