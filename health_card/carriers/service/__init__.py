"""Carriers bound, ended, and read at a desk."""
