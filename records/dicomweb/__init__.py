"""DICOMweb (DICOM PS3.18): what PACS and viewers speak. It translates; the rules are in records.images."""
