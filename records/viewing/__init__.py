"""Looking at an imaging study on a phone or a desk's screen."""
