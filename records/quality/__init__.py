"""Quality control of imaging: checks of what arrives, samples that experts score, and whether a department passed."""
