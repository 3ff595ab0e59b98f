"""Text of a bundle and sentences of the catalogue as Markdown (CommonMark with GitHub's and GitLab's extensions).

Nothing of a bundle becomes markup, a link, an image, a mention or HTML: what could, stands in a code span or is escaped.
"""

from __future__ import annotations

import re

from analyzer.report.messages import Messages
from analyzer.report.plain import clean, clean_block, cut

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~#$!&^]")
_AT_START = re.compile(r"([-+=]|\d{1,9}[.)](?=\s|$))")
_LINKS = re.compile(r"(?i)[@#]\w|https?:|ftp:|mailto:|www\.|(?<![\w.+-])[\w.+-]+@[\w-]")
VALUE = 240
"""Characters of one value of the bundle."""


def escaped(text: object) -> str:
    """One line of plain text, every character that means something escaped.

    >>> escaped("<b>*x*</b> 1")
    '\\\\<b\\\\>\\\\*x\\\\*\\\\</b\\\\> 1'
    """
    shown = _SPECIAL.sub(lambda match: "&amp;" if match[0] == "&" else "\\" + match[0], clean(text))
    return _started(shown)


def _started(text: str) -> str:
    """What would begin a list, a heading or a rule does not."""
    return (
        _AT_START.sub(lambda match: match[1][:-1] + "\\" + match[1][-1], text, count=1)
        if _AT_START.match(text)
        else text
    )


def code(text: object) -> str:
    """One line of text as a code span, whatever backticks are in it.

    >>> code("a`b"), code("")
    ('``a`b``', '')
    """
    shown = clean(text).strip()
    if not shown:
        return ""
    fence = "`" * (_longest_run(shown) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def block(text: object, language: str = "") -> list[str]:
    """A fenced block, whatever fences are in it."""
    shown = clean_block(text).rstrip("\n").split("\n")
    fence = "`" * max(3, max(map(_longest_run, shown)) + 1)
    return [fence + language, *shown, fence]


def value(text: object, limit: int = VALUE) -> str:
    """Text of a bundle inside a sentence: each word that could become markup, a link or a mention stands in a code span.

    >>> value("see @all and <b>")
    'see `@all` and `<b>`'
    """
    words = [
        code(word) if _LINKS.search(word) or _SPECIAL.search(word) else word for word in cut(clean(text), limit).split()
    ]
    return _started(" ".join(words))


def sentence(messages: Messages, id: str, **values: object) -> str:
    """A message as Markdown on one line: its code spans stay, values are made harmless."""
    told = ""
    for index, part in enumerate(messages.template(id).split("`")):
        words = (
            code(messages.filled(part, values))
            if index % 2
            else messages.filled(escaped_template(part), values, shown=value)
        )
        # Two code spans that touch would be read as one.
        told += (" " if told.endswith("`") and words.startswith("`") else "") + words
    return _started(" ".join(told.split()))


def escaped_template(text: str) -> str:
    """A part of a template, escaped; its ``{values}`` stay as they are."""
    return re.sub(
        r"\{[a-z0-9_]+\}|[\\*_\[\]<>|~#$]", lambda match: match[0] if len(match[0]) > 1 else "\\" + match[0], text
    )


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
