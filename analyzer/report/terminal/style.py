"""Colours and marks; every state has a mark or a word besides its colour."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from analyzer.report.plain import clean

SEVERITY: Mapping[str, tuple[str, str]] = {
    "critical": ("✖", "bold red"),
    "warning": ("▲", "yellow"),
    "notice": ("●", "cyan"),
    "info": ("·", "dim"),
}
OUTCOME: Mapping[str, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "mixed": ("≈", "yellow"),
    "unknown": ("?", "magenta"),
}
BAD = ("✗", "red")
DIM = "dim"


def outcome_style(outcome: str) -> str:
    return OUTCOME.get(outcome, BAD)[1]


def outcome_mark(outcome: str) -> str:
    return OUTCOME.get(outcome, BAD)[0]


def text(told: object, style: str = "") -> Text:
    """One line of text, control and direction characters replaced."""
    return Text(clean(told), style=style)


def quote(place: str, line: str) -> Text:
    """A place in the bundle and the line there, runs of blanks (columns of a listing) as one."""
    told = " ".join(clean(line).split())
    return Text.assemble((clean(place), "cyan"), ("  " if told else ""), (told, DIM))
