"""Reports of laboratories and examinations: taken in from any protocol, versioned, shown."""
