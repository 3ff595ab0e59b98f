"""The output formats of ``analyze``: one module per format, all behind one function.

Such a module has ``files(analysis, messages)``, which yields ``(path, content)``: the path is relative to the output folder and
of the tool's own making, never of the bundle. Equal input gives equal bytes. A module is imported when its format is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.report.analysis import Analysis
    from analyzer.report.messages import Messages

    File = tuple[str, bytes]
    Renderer = Callable[[Analysis, Messages], Iterator[File]]

FORMATS: Mapping[str, str] = {
    "html": "html_page",
    "pdf": "pdf_pages",
    "json": "json_document",
    "md": "markdown",
    "sarif": "sarif",
    "junit": "junit",
    "csv": "csv_tables",
    "xlsx": "xlsx_tables",
    "parquet": "parquet_tables",
}
"""Format -> the module that writes it."""
DEFAULT = ("html", "pdf", "json")


def chosen(words: Iterable[str]) -> tuple[str, ...]:
    """The formats that were asked for, each once, in the order asked; names may be joined by commas.

    >>> chosen(["html,md", "md"]), chosen([]) == DEFAULT
    (('html', 'md'), True)

    Raises:
        UsageError: there is no such format.
    """
    names = [name.strip().lower() for word in words for name in word.split(",")]
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"no format {name!r}", hint="formats: " + ", ".join(FORMATS))
    return tuple(dict.fromkeys(names)) or DEFAULT


def files(name: str, analysis: Analysis, messages: Messages) -> Iterator[File]:
    """The files of one format.

    Raises:
        MissingExtra: the format needs a library that is not installed.
        IpvscopeError: it could not be rendered.
    """
    renderer: Renderer = importlib.import_module(f"{__name__}.{FORMATS[name]}").files
    return renderer(analysis, messages)
