"""One life, many hospitals: the index that a timeline page reads."""
