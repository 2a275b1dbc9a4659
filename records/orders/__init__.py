"""Orders of examinations (HL7 ORM): what was asked for, before there is a report."""
