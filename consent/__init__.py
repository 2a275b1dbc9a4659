"""Who may see what, until when; who looked."""
