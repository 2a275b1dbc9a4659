"""What the patient is told on the phone."""
