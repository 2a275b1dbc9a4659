"""What can be read as FHIR: found, decided and recorded here; its shape is made in ``records.fhir.presenting``."""
