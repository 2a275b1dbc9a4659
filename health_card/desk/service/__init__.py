"""What a registrar does for the person in front of the desk."""
