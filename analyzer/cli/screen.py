"""What is printed cannot drive a terminal: control characters of a bundle are replaced on their way out.

This is the last net below all commands; texts that are put into lines are made harmless where the line is made.
"""

from __future__ import annotations

import re
import sys
from typing import TextIO, cast

from analyzer.report.plain import clean_block

_COLOUR = re.compile("(\x1b\\[[0-9;]{0,20}m)")


class Screen:
    """A text stream that writes no control character but newline and tab, and colours only to a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            # click asks with bytes whether this is a binary stream.
            raise TypeError(f"a screen takes text, not {type(text).__name__}")
        if self._stream.isatty() and "\x1b" in text:
            parts = _COLOUR.split(text)
            self._stream.write("".join(part if at % 2 else clean_block(part) for at, part in enumerate(parts)))
        else:
            self._stream.write(clean_block(text))
        return len(text)

    @property
    def below(self) -> TextIO:
        """The stream itself, for what moves the cursor and holds no text of a bundle."""
        return self._stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def guard() -> None:
    """Put the net below standard output and standard error; what an encoding lacks is written as an escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or isinstance(stream, Screen):
            continue
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, cast(TextIO, Screen(stream)))
