"""What a hospital itself does with the dictionary: say what its own codes mean."""
