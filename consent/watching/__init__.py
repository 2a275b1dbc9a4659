"""Telling a patient of looks that are out of the ordinary: a hospital that never looked before, an emergency."""
