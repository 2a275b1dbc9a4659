"""What the holder of a share link sees: a page of what is shared, and files for other programs."""
