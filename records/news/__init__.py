"""What of reports people are told: new ones, and changes of those that they have read."""
