"""The report as one HTML file: nothing is loaded from anywhere, and it reads without the script.

The page forbids itself every request by a content security policy; the only script is the one in `templates/report.js`,
named by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from analyzer.report.analysis import Analysis
from analyzer.report.limits import PAPER, SCREEN
from analyzer.report.messages import Messages
from analyzer.report.resources import folder
from analyzer.report.view import View, build


def render(analysis: Analysis, messages: Messages, *, generated: str = "") -> str:
    """The page for a screen. `generated` is a time to print; without it the same input gives the same bytes."""
    return page(build(analysis, messages, SCREEN, generated=generated), messages, paper=False)


def render_for_paper(analysis: Analysis, messages: Messages, *, generated: str = "") -> str:
    """The page the PDF is made of: bounded, nothing folded, no script."""
    return page(build(analysis, messages, PAPER, paper=True, generated=generated), messages, paper=True)


def page(view: View, messages: Messages, *, paper: bool) -> str:
    """Put a view into the templates."""
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = _environment().get_template("report.html")
    return template.render(
        view=view, t=messages.html, plain=messages.text, paper=paper, script=Markup(script),  # noqa: S704 - our own file
        script_hash=digest,
        style=Markup(_paper_style() if paper else _asset("report.css") + _asset("screen.css")),  # noqa: S704
    )  # fmt: skip


@lru_cache(maxsize=4)
def _asset(name: str) -> str:
    return (folder("templates") / name).read_text("utf-8")


@lru_cache(maxsize=1)
def _paper_style() -> str:
    """The style for paper with its variables put in: WeasyPrint would resolve them for every element again."""
    style = _asset("report.css") + _asset("print.css")
    variables = dict(re.findall(r"(--[a-z-]+): ([^;]+);", style))
    return re.sub(r"var\((--[a-z-]+)\)", lambda match: variables[match[1]], style)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(folder("templates")),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
