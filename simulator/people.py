"""People who do not exist: synthetic names, certificate numbers of an area that was never assigned."""

import re
import secrets
from dataclasses import dataclass

from health_card.certificates import check_character

# GB/T 2260 gives no area a code that begins with 99.
_AREA = "990000"


@dataclass(frozen=True)
class SyntheticPerson:
    """Somebody for a demo: resident ID (type 01), name, phone."""

    name: str
    certificate_number: str
    phone: str


def is_resident_id(number: str) -> bool:
    """Whether a number could be one of GB 11643-1999."""
    return bool(re.fullmatch(r"[1-9][0-9]{16}[0-9X]", number)) and check_character(number[:17]) == number[17]


def invent_person(name: str, *, born: str, is_male: bool) -> SyntheticPerson:
    """A person of nobody's number. ``born``: yyyymmdd."""
    sequence = secrets.randbelow(500) * 2 + (1 if is_male else 0)
    first_17 = f"{_AREA}{born}{sequence:03d}"
    # 170 0000 is a range of virtual operators; the demo sends no message to any phone.
    return SyntheticPerson(name, first_17 + check_character(first_17), f"1700000{secrets.randbelow(10**4):04d}")
