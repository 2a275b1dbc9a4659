"""The master index: which records may be one person's, who decides, and standing together until that is undone."""
