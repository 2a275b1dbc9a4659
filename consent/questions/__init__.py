"""Questioning a look: a case with a deadline, answered by the hospital."""
