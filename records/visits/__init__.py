"""Visits: opened when a desk scans a code."""
