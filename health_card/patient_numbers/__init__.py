"""The numbers of hospital systems: bound, looked up, merged and parted again by the hospital itself."""
