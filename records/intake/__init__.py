"""Everything that a hospital sent is kept, and about whom it is decided in one place."""
