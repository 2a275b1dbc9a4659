"""Everything that is kept about a person, to take away: as FHIR R4 and as pages to read."""
