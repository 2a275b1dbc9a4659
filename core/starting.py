"""The start of a process: what a module makes stays, so nothing is looked for that could be thrown away.

Python's garbage collector would go through all of it again and again, a fifth of the time that a start takes. This is
imported first; ``end`` is called when everything has been imported.
"""

import gc

gc.disable()


def end() -> None:
    """Leave out what was made so far for good, and collect from now on.

    Processes that are forked off share it: it is not written to any more.
    """
    gc.freeze()
    gc.enable()
