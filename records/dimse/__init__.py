"""DIMSE (PS3.7, PS3.8): images and storage commitment for PACS that do not speak DICOMweb."""
