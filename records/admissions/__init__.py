"""Visits of which a hospital's own system tells (HL7 ADT): opened, closed, named by the hospital's number."""
