"""The report as one HTML file: nothing is loaded from anywhere, and it reads without the script.

The page forbids itself every request by a content security policy; the only script and the only style are those in
`templates/`, named by their hashes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from markupsafe import Markup

from analyzer.report.analysis import Analysis
from analyzer.report.attachments import Attached
from analyzer.report.limits import PAPER, SCREEN
from analyzer.report.messages import Messages
from analyzer.report.pages import asset, digest, environment
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
    script = asset("report.js")
    style = _paper_style() if paper else _screen_style()
    template = environment().get_template("report.html")
    return template.render(
        view=view, t=messages.html, plain=messages.text, paper=paper, attached=attached, script=Markup(script),  # noqa: S704 - our own file
        script_hash=digest(script), style=Markup(style), style_hash=digest(style),  # noqa: S704 - our own file
    )  # fmt: skip


@lru_cache(maxsize=1)
def _widths() -> str:
    """A class for each width of a column: the policy allows no style on an element."""
    return "".join(f".w{number}{{width:{number}%}}" for number in range(1, 101))


@lru_cache(maxsize=1)
def _screen_style() -> str:
    dark = asset("dark.css").strip()
    schemes = (
        f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}\n'
        f':root[data-theme="dark"] {{ {dark} }}\n'
    )
    # Paper is white whatever the screen is.
    return asset("report.css") + asset("screen.css").replace("/*dark*/", f"@media screen {{\n{schemes}}}") + _widths()


@lru_cache(maxsize=1)
def _paper_style() -> str:
    """The style for paper with its variables put in: WeasyPrint would resolve them for every element again."""
    style = asset("report.css") + asset("print.css") + _widths()
    variables = dict(re.findall(r"(--[a-z-]+): ([^;]+);", style))
    return re.sub(r"var\((--[a-z-]+)\)", lambda match: variables[match[1]], style)
