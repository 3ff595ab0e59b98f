"""The report as one HTML file: nothing is loaded from anywhere, and it reads without the script.

The page forbids itself every request by a content security policy; the only script and the only style are those in
`templates/`, named by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from analyzer.report.analysis import Analysis
from analyzer.report.attachments import Attached
from analyzer.report.limits import PAPER, SCREEN
from analyzer.report.messages import Messages
from analyzer.report.resources import folder
from analyzer.report.view import View, build


def render(analysis: Analysis, messages: Messages, *, generated: str = "") -> str:
    """The page for a screen. `generated` is a time to print; without it the same input gives the same bytes."""
    return page(build(analysis, messages, SCREEN, generated=generated), messages, paper=False)


def render_for_paper(
    analysis: Analysis, messages: Messages, *, generated: str = "", attached: Sequence[Attached] = ()
) -> str:
    """The page the PDF is made of: bounded, nothing folded, no script. `attached` is named in it."""
    return page(build(analysis, messages, PAPER, generated=generated), messages, paper=True, attached=attached)


def page(view: View, messages: Messages, *, paper: bool, attached: Sequence[Attached] = ()) -> str:
    """Put a view into the templates."""
    script = _asset("report.js")
    style = _paper_style() if paper else _screen_style()
    template = _environment().get_template("report.html")
    return template.render(
        view=view, t=messages.html, plain=messages.text, paper=paper, attached=attached, script=Markup(script),  # noqa: S704 - our own file
        script_hash=_digest(script), style=Markup(style), style_hash=_digest(style),  # noqa: S704 - our own file
    )  # fmt: skip


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@lru_cache(maxsize=8)
def _asset(name: str) -> str:
    return (folder("templates") / name).read_text("utf-8")


@lru_cache(maxsize=1)
def _widths() -> str:
    """A class for each width of a column: the policy allows no style on an element."""
    return "".join(f".w{number}{{width:{number}%}}" for number in range(1, 101))


@lru_cache(maxsize=1)
def _screen_style() -> str:
    dark = _asset("dark.css").strip()
    schemes = (
        f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}\n'
        f':root[data-theme="dark"] {{ {dark} }}\n'
    )
    # Paper is white whatever the screen is.
    return _asset("report.css") + _asset("screen.css").replace("/*dark*/", f"@media screen {{\n{schemes}}}") + _widths()


@lru_cache(maxsize=1)
def _paper_style() -> str:
    """The style for paper with its variables put in: WeasyPrint would resolve them for every element again."""
    style = _asset("report.css") + _asset("print.css") + _widths()
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
