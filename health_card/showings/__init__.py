"""Where a card was shown and used, and what a hospital may therefore know of its person."""
