"""What happens to kept files outside the platform."""

from pathlib import Path


def spoil(path: Path) -> None:
    """Another last byte than the one that stood there, whatever that was: sealed bytes are random."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 0xFF]))
