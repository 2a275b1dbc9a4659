"""A hospital asks a patient to see more, and he answers on his phone."""
