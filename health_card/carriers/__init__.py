"""Carriers: other cards that lead to the same person at a desk."""
