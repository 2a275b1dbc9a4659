"""Everything that a hospital sent is kept; what cannot be filed waits in quarantine."""
