"""A doctor opens the records of who is before him in an emergency; how often that happens."""
