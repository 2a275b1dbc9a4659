"""The outside world for tests and demos. No product package imports it, and it imports none of them."""
