"""The chart: one patient on one page, for the doctor of an own visit."""
