"""How a trait of a record is kept: as a blind index."""

from core.vault import vault
from health_card.matching.models import TraitKind

_INDEX_BYTES = 16


def index_trait(kind: TraitKind, text: str) -> bytes:
    """The index under which something that is or was true of a record is found."""
    return vault().blind_index(text, context=f"persons.trait.{kind.value}")[:_INDEX_BYTES]
