"""Imaging studies: DICOM files taken in, indexed, rendered."""
