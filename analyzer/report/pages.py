"""What every HTML page of ipvscope is made with: templates that escape everything, files of our own, and their hashes.

A page names its only script and style by hash in its content security policy, so a change to one of them is a change of both.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from analyzer.report.resources import folder


def asset(name: str) -> str:
    """A file of `templates/`."""
    return (folder("templates") / name).read_text("utf-8")


def digest(text: str) -> str:
    """The hash by which a content security policy names a script or style."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates: everything is escaped, an undefined name is an error."""
    return Environment(
        loader=FileSystemLoader(folder("templates")),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
