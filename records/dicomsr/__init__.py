"""What DICOM objects say in words (PS3.3, section A.35, and A.45 for PDF): reports and key images. It translates; the
rules are in records.reports and records.images.
"""
