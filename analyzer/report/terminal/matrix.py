"""Who reaches what, on a terminal: a line per address, the clients counted by what they see."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.forwarding.matrix_model import Matrix, MatrixTarget
from analyzer.report.messages import Messages
from analyzer.report.plain import clean
from analyzer.report.terminal.style import outcome_mark, outcome_style, text

NAMED = 2


def show(console: Console, matrix: Matrix, messages: Messages) -> None:
    """Print it: addresses in the order of the matrix."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for slug in ("target", "kind", "service", "reached", "not-reached"):
        table.add_column(messages.text(f"terminal.{slug}"), overflow="fold")
    total = 0
    for row in matrix.targets:
        seen = _seen(matrix, row)
        clients = sum(map(len, seen.values()))
        total += clients
        reached = len(seen.get("ok", []))
        style = "green" if reached == clients else "" if reached else "red"
        table.add_row(
            text(row.target), text(_kind(row.kind, messages)), text(row.service),
            Text(f"{reached}/{clients}", style, justify="right"), _others(seen, messages),
        )  # fmt: skip
    console.print(table)
    console.print()
    console.print(text(messages.text("terminal.matrix-hint", total=total), "dim"))


def _kind(kind: str, messages: Messages) -> str:
    return messages.text(f"report.target.{kind}") if messages.has(f"report.target.{kind}") else kind


def _seen(matrix: Matrix, row: MatrixTarget) -> dict[str, list[str]]:
    seen: dict[str, list[str]] = {}
    for vantage in matrix.vantages:
        verdict = matrix.cells.get((vantage.source, row.target))
        if verdict is not None:
            seen.setdefault(verdict.outcome, []).append(str(vantage.source))
    return seen


def _others(seen: dict[str, list[str]], messages: Messages) -> Text:
    told = Text()
    for outcome, names in seen.items():
        if outcome == "ok":
            continue
        shown = ", ".join(map(clean, names[:NAMED])) + (f" +{len(names) - NAMED}" if len(names) > NAMED else "")
        words = messages.text(
            "terminal.clients", outcome=messages.text(f"outcome.{outcome}"), n=len(names), clients=shown
        )
        told.append(("\n" if told else "") + f"{outcome_mark(outcome)} {words}", outcome_style(outcome))
    return told
