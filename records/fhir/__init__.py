"""FHIR R4 at the edge: translates, and files through the same services as everybody else."""
