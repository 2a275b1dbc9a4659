"""Details and certificates corrected at a desk, and what they were before."""
