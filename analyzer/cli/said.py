"""Errors in the reader's language: the code raises English sentences, `locale/*/errors.po` has each of them by id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from analyzer.cli.help import asked_language
from analyzer.cli.words import words
from analyzer.errors import IpvscopeError, UsageError
from analyzer.report.messages import FALLBACK, Messages, catalogue
from analyzer.report.plain import clean

_VALUE = re.compile(r"\{([a-z]+)\}")


def language_of(arguments: Sequence[str]) -> Messages:
    """The language a command line asks for; the locale's where it asks for none, or for one that is not there."""
    try:
        return words(asked_language(arguments))
    except UsageError:
        return words()


def error_lines(error: IpvscopeError, messages: Messages) -> list[str]:
    """Where and what is wrong, and as a second line what to do about it; each is one line whatever names of the bundle are in it."""
    place = f"{error.where}: " if error.where else ""
    lines = [clean(place + spoken(error.what, messages))]
    return [*lines, clean(spoken(error.hint, messages))] if error.hint else lines


def spoken(sentence: str, messages: Messages) -> str:
    """A sentence of the code in that language; as it is where the catalogue does not know it.

    >>> spoken("no node 'n9' in this bundle", Messages("zh_CN"))
    "该诊断包中没有节点 'n9'"
    >>> spoken("a sentence that no catalogue has", Messages("zh_CN"))
    'a sentence that no catalogue has'
    """
    if messages.language == FALLBACK:
        return sentence
    for id, pattern in _patterns():
        found = pattern.fullmatch(sentence)
        if found:
            return messages.text(id, **found.groupdict())
    return sentence


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Id and form of each English sentence, those with most words of their own first."""
    known = {str(one.id): str(one.string) for one in catalogue(FALLBACK) if str(one.id).startswith("error.")}
    ranked = sorted(known.items(), key=lambda item: (-len(_VALUE.sub("", item[1])), item[0]))
    return tuple((id, re.compile(_VALUE.sub(r"(?P<\1>.+?)", re.escape(form).replace(r"\{", "{").replace(r"\}", "}")), re.DOTALL))
                 for id, form in ranked)  # fmt: skip
