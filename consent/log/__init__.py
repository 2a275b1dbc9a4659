"""The log that a patient reads: every look at his data, in words, with filters, folded where machines look often."""
