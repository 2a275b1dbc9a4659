"""Apps that patients let in: registered here, authorized by OAuth 2 (SMART App Launch 2)."""
