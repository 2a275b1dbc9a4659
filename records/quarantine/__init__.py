"""What was put aside: looked at, tried again, assigned to a person, or dismissed. Nothing of it is ever lost."""
