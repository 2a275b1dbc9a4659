"""Phones that make codes by themselves, with a key that the platform certified (ADR 12)."""
