"""What a patient says once and for all about hospitals that treat him."""
