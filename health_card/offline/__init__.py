"""Desks without the network: what they verify with, and what they did meanwhile."""
