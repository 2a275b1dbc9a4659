"""The outside world for tests and demos. No product package imports it; only city.py and people.py import theirs."""
