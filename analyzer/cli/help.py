"""``--help``, and what is wrong with a command line, in the reader's language.

English stands in the code, where it costs nothing; `locale/*/LC_MESSAGES/help.po` holds it for translators (a test keeps the two equal)
and is read only when help in another language is asked for. An id is ``cli.COMMAND``, ``cli.option.NAME`` for what most commands say of
an option, and ``cli.COMMAND.NAME`` where one says something else.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from analyzer.report.messages import Messages

ARGUMENTS = "ipvscope.arguments"
ERRORS = {
    "missing": "Missing {what}.",
    "unknown-option": "No such option: {what}",
    "unknown-command": "No such command {what}.",
    "bad-value": "Invalid value for {what}: {detail}",
    "try": "Try '{command} -h' for help.",
}
HEADINGS = ("usage", "arguments", "options", "commands", "required", "default")
KNOWN = ("MissingParameter", "NoSuchOption", "BadParameter", "UsageError", "BadOptionUsage", "BadArgumentUsage")
"""Names: newer releases of Typer have their own copies of Click's errors."""
WIDTH = 100
NAMES = 26
"""Columns for the names of options; what is longer has a line of its own."""


def locale_name() -> str:
    """The locale for messages: LC_ALL, LC_MESSAGES, LANG, in this order, without its encoding."""
    said = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    return said.partition(".")[0].partition("@")[0]


class SpokenCommand(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta.setdefault(ARGUMENTS, []).extend(args)
        with explained(ctx):
            return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:
        return spoken(self, ctx) or super().get_help(ctx)


class SpokenGroup(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta.setdefault(ARGUMENTS, []).extend(args)
        with explained(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        with explained(ctx, args[0] if args else ""):
            return super().resolve_command(ctx, args)

    def get_help(self, ctx: Any) -> str:
        return spoken(self, ctx) or super().get_help(ctx)


def texts(group: Any) -> dict[str, str]:
    """Every help text by its id; `group` is the command of the whole program."""
    said: dict[str, dict[str, str]] = defaultdict(dict)
    found = {"cli.option.help": "Show this message and exit."}
    found |= {f"cli.error.{name}": text for name, text in ERRORS.items()}
    found |= {f"cli.heading.{name}": name for name in HEADINGS}
    for command, one in {"ipvscope": group, **group.commands}.items():
        found[f"cli.{command}"] = one.help
        for parameter in one.params:
            if getattr(parameter, "help", None):
                said[parameter.name][command] = parameter.help
    for name, of in said.items():
        ((most, count),) = Counter(of.values()).most_common(1)
        shared = most if 2 * count > len(of) else None
        if shared is not None:
            found[f"cli.option.{name}"] = shared
        found |= {f"cli.{command}.{name}": text for command, text in of.items() if text != shared}
    return found


def asked_language(arguments: Sequence[str]) -> str:
    """What --lang of a command line says, the last one counting; empty without."""
    asked = ""
    for position, one in enumerate(arguments):
        if one == "--lang" and position + 1 < len(arguments):
            asked = arguments[position + 1]
        elif one.startswith("--lang="):
            asked = one.partition("=")[2]
    return asked


def spoken(command: Any, ctx: Any) -> str:
    """The help of a command in the language asked for; empty where that is English or one that nobody wrote."""
    messages = _messages(ctx)
    return "" if messages is None else "\n".join(_lines(command, ctx, messages)) + "\n"


@contextmanager
def explained(ctx: Any, command: str = "") -> Iterator[None]:
    """Say what is wrong with the command line in the language asked for, and leave; in English the library says it."""
    try:
        yield
    except Exception as error:
        messages = _messages(ctx) if type(error).__name__ in KNOWN else None
        if messages is None:
            raise
        from analyzer.cli import out

        out.warn(_wrong(error, command, messages))
        out.warn(messages.text("cli.error.try", command=ctx.command_path), prefix="  ")
        sys.exit(2)


def _wrong(error: Any, command: str, messages: Messages) -> str:
    """The library's words where none of ours fit: they name the option."""
    parameter = getattr(error, "param", None)
    what = " / ".join(getattr(parameter, "opts", ())) if getattr(parameter, "param_type_name", "") == "option" else ""
    what = what or getattr(parameter, "metavar", None) or getattr(parameter, "name", None) or ""
    match type(error).__name__:
        case "MissingParameter":
            return messages.text("cli.error.missing", what=what)
        case "NoSuchOption":
            return messages.text("cli.error.unknown-option", what=error.option_name)
        case "BadParameter":
            return messages.text("cli.error.bad-value", what=what, detail=error.message)
    return messages.text("cli.error.unknown-command", what=command) if command else str(error.format_message())


def _messages(ctx: Any) -> Messages | None:
    """The messages of the language asked for; none where that is English or one that nobody wrote."""
    said = asked_language(ctx.meta.get(ARGUMENTS, ())) or locale_name()
    wanted = said.replace("-", "_").partition("_")[0].lower()
    if wanted in ("", "en", "c", "posix"):
        return None
    from analyzer.cli.words import words
    from analyzer.errors import UsageError

    try:
        return words(wanted)
    except UsageError:
        return None


def _lines(command: Any, ctx: Any, messages: Messages) -> Iterator[str]:
    own = command.name if ctx.parent is not None else "ipvscope"
    usage = command.get_usage(ctx).partition(":")[2].split()
    yield f"{messages.text('cli.heading.usage')}{' '.join(usage)}"
    yield ""
    for line in messages.text(f"cli.{own}").splitlines():
        yield from _wrapped(line, 2) if not line.startswith("  ") else [f"  {line}"]
    rows: Mapping[str, list[tuple[str, str]]] = {"arguments": [], "options": [], "commands": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            kind = "arguments" if parameter.param_type_name == "argument" else "options"
            rows[kind].append((record[0], _told(own, parameter, record[1], messages)))
    for name, one in getattr(command, "commands", {}).items():
        if not one.hidden:
            rows["commands"].append((name, messages.text(f"cli.{name}").partition("\n\n")[0]))
    for kind, listed in rows.items():
        if listed:
            yield ""
            yield messages.text(f"cli.heading.{kind}")
            for name, told in listed:
                yield from _row(name, told)


def _told(own: str, parameter: Any, record: str, messages: Messages) -> str:
    """The words for an option; what the library adds (a default, that it is needed) is kept behind them."""
    text = getattr(parameter, "help", None) or ""
    for id in (f"cli.{own}.{parameter.name}", f"cli.option.{parameter.name}"):
        if messages.has(id):
            record = messages.text(id) + (record[len(text) :] if text and record.startswith(text) else "")
            break
    for name in ("required", "default"):
        record = record.replace(f"[{name}", f"[{messages.text(f'cli.heading.{name}')}")
    return record


def _row(name: str, told: str) -> Iterator[str]:
    lines = list(_wrapped(told, NAMES + 4))
    if len(name) <= NAMES and lines:
        lines[0] = f"  {name:<{NAMES}}  {lines[0].lstrip()}"
        yield from lines
    else:
        yield f"  {name}"
        yield from lines


def _wrapped(text: str, indent: int) -> Iterator[str]:
    """Lines by the columns they take: a Chinese character takes two."""
    from rich.console import Console
    from rich.text import Text

    width = min(Console().width, WIDTH) - indent
    for line in Text(text).wrap(Console(width=width), width):
        yield " " * indent + line.plain.rstrip()
