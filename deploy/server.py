"""The web server of ``make run``: granian, whose processes are forked off one that has read the application.

Started by itself, granian would have each of them read it anew: seconds more at a start, and no memory in common.
"""

import sys

from granian.cli import entrypoint

from app import create_app

if __name__ == "__main__":
    sys.argv.append(f"{create_app.__module__}:{create_app.__name__}")
    entrypoint()  # type: ignore[no-untyped-call]
