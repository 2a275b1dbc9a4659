"""Measures the product beside its ceilings, in one run (docs/bench.md)."""
