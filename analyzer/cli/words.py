"""The language of a command's output: what was asked for, else what the locale says."""

from __future__ import annotations

from analyzer.cli.help import locale_name
from analyzer.cli.progress import display
from analyzer.errors import UsageError
from analyzer.report.messages import FALLBACK, Messages, languages

SHORT = {"zh": "zh_CN"}
"""Languages by their short name."""


def words(lang: str = "") -> Messages:
    """The messages of `lang`: en, zh (also zh_CN, zh-CN); empty asks the locale.

    Raises:
        UsageError: there is no catalogue for it.
    """
    name = lang.replace("-", "_") if lang else of_locale()
    name = SHORT.get(name.lower(), name)
    try:
        messages = Messages(name)
    except LookupError as error:
        raise UsageError(str(error), hint="--lang zh, --lang en") from None
    display.language = name
    return messages


def of_locale() -> str:
    """The language of the environment's locale; English where there are no words for it."""
    name = locale_name()
    known = languages()
    return next((one for one in (name, SHORT.get(name.partition("_")[0].lower(), "")) if one in known), FALLBACK)
