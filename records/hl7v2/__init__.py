"""HL7 v2 at the edge: translates, and files through the same services as everybody else."""
