"""What can go wrong while an embedded server starts; the text tells the reader what to do."""


class EmbeddedError(Exception):
    """An embedded server cannot be had here; the message says why and what to do instead."""


class AlreadyRunning(EmbeddedError):
    """Another process holds the folder: its servers are running."""
