"""What of a hospital's images is really kept here."""

import io
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import storage
from core.errors import Refusal
from records.images.models import Instance


def list_kept(session: Session, hospital_id: UUID, sop_instance_uids: list[str]) -> dict[str, str]:
    """SOP class UIDs by SOP instance UID, of those whose file is here to its end: not of those whose header alone is.

    The last piece of a file is read: it is sealed for being the last, so that what was cut off or is somebody else's
    is noticed (``core.storage``).
    """
    asked = select(Instance.sop_instance_uid, Instance.sop_class_uid, Instance.storage_key, Instance.data_key).where(
        Instance.hospital_id == hospital_id,
        Instance.sop_instance_uid.in_(sop_instance_uids),
        Instance.is_archived.is_(False),
    )
    return {
        uid: sop_class for uid, sop_class, address, key in session.execute(asked).tuples() if _is_whole(address, key)
    }


def _is_whole(address: str, wrapped_key: bytes) -> bool:
    try:
        with storage.open_file(address, wrapped_key) as stream:
            stream.seek(-1, io.SEEK_END)
            return len(stream.read()) == 1
    except (Refusal, OSError):
        return False
