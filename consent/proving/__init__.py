"""What a hospital was given, signed, so that it can show it to others."""
