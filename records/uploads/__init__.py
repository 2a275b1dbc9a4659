"""Lists of results that a clinic without a system of its own uploads: checked first, filed when that is confirmed."""
