"""Mutual recognition: catalogue, qualification, decisions."""
