"""Where the templates and the message catalogues lie.

Inside a wheel they are part of the package (`analyzer/templates`, `analyzer/locale`); in a checkout they stand at the
top, beside `analyzer`. The package's own copy wins, so an installed tool never reads a stranger's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: Literal["locale", "templates"]) -> Path:
    """The folder of that name.

    Raises:
        FileNotFoundError: the installation is broken (neither place exists).
    """
    for base in (_PACKAGE, _PACKAGE.parent):
        if (base / name).is_dir():
            return base / name
    raise FileNotFoundError(f"{name}/ is neither in {_PACKAGE} nor beside it")
