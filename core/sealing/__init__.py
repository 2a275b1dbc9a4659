"""The audit trail, sealed: whoever changes it is found out (docs/adr/0024-sealed-log.md)."""

from core.sealing.notes import KEY_PURPOSE
from core.sealing.proofs import Proof, list_proofs
from core.sealing.reading import LogDamaged

__all__ = ["KEY_PURPOSE", "LogDamaged", "Proof", "list_proofs"]
