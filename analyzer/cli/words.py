"""The language of a command's output."""

from __future__ import annotations

from analyzer.cli.progress import display
from analyzer.errors import UsageError
from analyzer.report.messages import Messages


def words(lang: str) -> Messages:
    """The messages of `lang`.

    Raises:
        UsageError: there is no catalogue for it.
    """
    try:
        messages = Messages(lang)
    except LookupError as error:
        raise UsageError(str(error)) from None
    display.language = lang
    return messages
