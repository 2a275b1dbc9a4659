"""Reports on paper: drawn as PDF, with a number by which anybody can have them proven genuine."""
