"""Mechanisms that know no business word: configuration, database, refusals, audit, outbox, sealing, web."""
