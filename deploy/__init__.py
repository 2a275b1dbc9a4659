"""Local start-up: everything on one machine, for trying the platform out and for developing it."""
