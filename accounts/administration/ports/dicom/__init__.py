"""The ports at which hospitals' PACS send images by DIMSE, at the machine interface."""
