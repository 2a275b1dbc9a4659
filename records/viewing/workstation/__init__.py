"""OHIF, the viewer of radiologists."""
