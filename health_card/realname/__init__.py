"""Whether a name and a certificate number belong together: asked of the city's real-name source."""
