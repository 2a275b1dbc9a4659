"""Storage classes beside those that the standard has today: retired ones that old archives still send, and those of
makers. They are kept as any other; whether a picture can be made of one, its pixels decide.
"""

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]
from pynetdicom import register_uid
from pynetdicom.service_class import StorageServiceClass

# What remains of names in the registry that are no composite objects.
_NO_OBJECTS = {"1.2.840.10008.1.20.2", "1.2.840.10008.5.1.1.27"}
RETIRED = tuple(
    uid
    for uid, (name, kind, _, state, _) in UID_dictionary.items()
    if kind == "SOP Class" and state == "Retired" and "Storage" in name and uid not in _NO_OBJECTS
)

_GE, _SIEMENS, _PHILIPS = "1.2.840.113619.4.", "1.3.12.2.1107.5.", "1.3.46.670589."
# By the conformance statements of the makers.
PRIVATE = (
    *(_GE + last for last in ("2", "3", "4", "26", "27", "30", "5.249")),
    *(_SIEMENS + last for last in ("9.1", "99.3.10", "99.3.11")),
    *(_PHILIPS + last for last in ("2.3.1.1", "2.4.1.1", "2.5.1.1", "2.8.1.1", "2.11.1.1")),
    *(_PHILIPS + f"5.0.{last}" for last in ("1", "1.1", "2", "2.1", "3", "3.1", "4", "7", "8", "8.1", "9", "10")),
    *(_PHILIPS + f"5.0.{last}" for last in ("11", "11.1", "12", "13", "14")),
    *(_PHILIPS + f"7.8.{last}" for last in ("1618510091", "1618510092", "16185100129", "16185100130")),
    *(_PHILIPS + f"11.0.0.12.{last}" for last in ("1", "2", "3", "4")),
    "1.2.392.200036.9116.7.8.1.1.1",
    "2.16.840.1.114033.5.1.4.1.1.130",
)


def register() -> None:
    """Make pynetdicom serve them as it serves the others."""
    for uid in (*RETIRED, *PRIVATE):
        register_uid(uid, f"Storage_{uid.replace('.', '_')}", StorageServiceClass)
