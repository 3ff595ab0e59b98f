"""What a long computation is doing, for whoever wants to show it. Nobody listens by default, and nothing is printed here."""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[str, int, int], None]
"""(stage, done, total): `stage` is a slug (its words are ``progress.<stage>``), `total` is 0 where no number is known."""

Report = Callable[[int, int], None]
"""(done, total) of one stage; of what is the stage's own affair (bytes, cells)."""

_listeners: list[Listener] = []


def stage(name: str, done: int = 0, total: int = 0) -> None:
    """Tell that a stage begins, or how far it is.

    >>> told = []
    >>> listen(lambda *what: told.append(what))
    >>> stage("fixes", 1, 4)
    >>> listen(None)
    >>> stage("fixes", 2, 4)
    >>> told
    [('fixes', 1, 4)]
    """
    for listener in _listeners:
        listener(name, done, total)


def listen(listener: Listener | None) -> None:
    """Call this one from now on, and no other; None: nobody."""
    _listeners[:] = [] if listener is None else [listener]
