"""``make demo``: the whole story, played against a running platform over its real interfaces."""
