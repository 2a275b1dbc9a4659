"""One item of one person over time, across hospitals."""
