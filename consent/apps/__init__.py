"""Letting apps of others read one's records, and taking that back."""
