"""Links by which a patient shows a part of his records to somebody without an account."""
