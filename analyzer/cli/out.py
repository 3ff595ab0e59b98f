"""Everything a command prints goes through here: nothing of a bundle reaches the terminal raw.

On a terminal output is styled (rich, which honours NO_COLOR), into a pipe or a file it is plain text. JSON is the same in both.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from analyzer.cli.progress import display
from analyzer.report.plain import clean, clean_block

if TYPE_CHECKING:
    from rich.console import Console

# What `json.dumps` leaves as it is and a terminal (or a reader's eye) would act on; lone surrogates cannot be encoded.
_RAW = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def styled() -> bool:
    """Whether standard output is a terminal that can do more than text."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def console() -> Console:
    """Standard output for rich: no markup, emoji or highlighting of what is printed."""
    from rich.console import Console

    display.stop()
    return Console(markup=False, emoji=False, highlight=False)


def say(text: str, end: str = "\n") -> None:
    """Text of one or several lines on standard output, control and direction characters replaced."""
    display.stop()
    print(clean_block(text), end=end)


def lines(told: Iterable[str]) -> None:
    """Lines on standard output; on a terminal those that are not indented stand out."""
    listed = [clean(line) for line in told]
    if not styled():
        say("\n".join(listed))
        return
    from rich.text import Text

    out = console()
    for line in listed:
        out.print(Text(line, style="" if line.startswith(" ") else "bold"), soft_wrap=True)


def spoken(sentence: str) -> str:
    """A sentence of the code in the language that the command line asks for."""
    from analyzer.cli import said

    return said.spoken(sentence, said.language_of(sys.argv[1:]))


def warn(text: str, prefix: str = "ipvscope: ") -> None:
    """A remark on standard error, in the reader's language."""
    display.stop()
    print(prefix + clean_block(spoken(text)), file=sys.stderr)


def document(value: dict[str, Any]) -> None:
    """One JSON document on standard output; characters that drive a terminal are written as escapes."""
    display.stop()
    sys.stdout.write(json_text(value) + "\n")


def json_text(value: dict[str, Any]) -> str:
    """The document, indented.

    >>> json_text({"name": "a\\x9b\\ud800"})
    '{\\n "name": "a\\\\u009b\\\\ud800"\\n}'
    """
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return _RAW.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
