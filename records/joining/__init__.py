"""What belongs together though it came by different ways: the images of an examination and its report."""
