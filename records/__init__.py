"""Visits, reports, images: taking them in, showing them."""
