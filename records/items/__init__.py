"""The city's dictionary of items: standard codes, units, reference ranges, and what hospitals' own codes mean."""
