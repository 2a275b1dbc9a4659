"""Who a person is, for those who may know it."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from core import clock
from core.vault import vault
from health_card.masks import mask_name, mask_number, mask_phone
from health_card.models import Person
from health_card.service.persons import CERTIFICATE, NAME, PHONE


@dataclass(frozen=True)
class Demographics:
    """A person as shown to somebody. ``sex``: male, female or unknown."""

    name: str
    sex: str
    birth_date: date | None
    age: int | None
    certificate_type: str
    certificate_number: str
    phone: str
    assurance: str


def get_demographics(session: Session, person_id: UUID, *, masked: bool = True) -> Demographics:
    """A person's demographics. The caller has decided, and recorded, that the asker may see them.

    :param masked: shorten name and numbers as trust demands for desks; a treating doctor sees the name whole.
    """
    person = session.get_one(Person, person_id)
    key = vault().unwrap(person.data_key)
    name = key.unseal(person.name_sealed, context=NAME)
    return Demographics(
        name=mask_name(name) if masked else name,
        sex=person.sex,
        birth_date=person.birth_date,
        age=_age(person.birth_date),
        certificate_type=person.certificate_type,
        certificate_number=mask_number(key.unseal(person.certificate_sealed, context=CERTIFICATE)),
        phone=mask_phone(key.unseal(person.phone_sealed, context=PHONE)),
        assurance=person.assurance,
    )


def _age(born: date | None) -> int | None:
    if born is None:
        return None
    today = clock.in_city(clock.now()).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
