"""No regular expression that meets text of a bundle takes more than its length allows, whatever the text.

Every pattern of the package is found (module constants, inline patterns, name patterns of the forms), taken apart, and
run over texts that repeat what its repeated parts match, with an end that does not. A pattern that backtracks badly
shows by its growth: four times the text, far more than four times the work.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import pkgutil
import random
import re
import re._constants as op
import re._parser as sre
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import analyzer
from analyzer.parsers.registry import forms

ROOT = Path(analyzer.__file__).parent
NOT_OF_A_BUNDLE = {
    r"(--[a-z-]+): ([^;]+);": "the report's own style",
    r"(?:\.(?:txt|log|out|json|yaml|yml|conf|gz))+$": "file names, at most 1024 bytes",
}
LENGTH = 8_000
ATOMS = (" ", "a", "0", ".", "-", ":", ",", '"', "\\", "/")


class TooLong(Exception):
    pass


def patterns() -> dict[re.Pattern[Any], set[str]]:
    """Every pattern with the methods it is used by (all, where that is not seen)."""
    found: dict[re.Pattern[Any], set[str]] = {}
    for module in pkgutil.walk_packages(analyzer.__path__, "analyzer."):
        if module.name.endswith(("pdf_child", "__main__")):
            continue
        loaded = importlib.import_module(module.name)
        text = Path(str(loaded.__file__)).read_text("utf-8")
        for name, value in vars(loaded).items():
            for pattern in _inside(value, 0):
                used = set(re.findall(rf"\b{name}\.(search|match|fullmatch|sub|findall|finditer|split)\b", text))
                found.setdefault(pattern, set()).update(used)
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if getattr(node.func.value, "id", "") == "re" and isinstance(first, ast.Constant):
                    with contextlib.suppress(re.error, TypeError):
                        found.setdefault(re.compile(first.value), set()).update({node.func.attr} - {"compile"})
    for form in forms():
        for name in form.names:
            found.setdefault(re.compile(name), set()).add("search")
    return found


def _inside(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 4 and isinstance(value, (list, tuple, set, frozenset, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _inside(item, depth + 1)


def example(tree: Iterable[Any], rng: random.Random) -> str:
    """A text that the parsed pattern matches, more or less."""
    out: list[str] = []
    for kind, value in tree:
        if kind is op.LITERAL:
            out.append(chr(value))
        elif kind is op.NOT_LITERAL:
            out.append("a" if value != ord("a") else "b")
        elif kind is op.ANY:
            out.append("x")
        elif kind is op.IN:
            out.append(_one_of(value, rng))
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            for _ in range(max(value[0], min(int(value[1]), rng.choice((1, 2))))):
                out.append(example(value[2], rng))
        elif kind is op.SUBPATTERN:
            out.append(example(value[-1], rng))
        elif kind is op.ATOMIC_GROUP:
            out.append(example(value, rng))
        elif kind is op.BRANCH:
            out.append(example(rng.choice(value[1]), rng))
    return "".join(out)


def _one_of(members: Iterable[Any], rng: random.Random) -> str:
    options: list[str] = []
    negated = False
    for kind, value in members:
        if kind is op.NEGATE:
            negated = True
        elif kind is op.LITERAL:
            options.append(chr(value))
        elif kind is op.RANGE:
            options.append(chr(rng.randint(value[0], min(value[1], value[0] + 20))))
        elif kind is op.CATEGORY:
            options.append({op.CATEGORY_DIGIT: "5", op.CATEGORY_SPACE: " "}.get(value, "w"))
    if negated:
        return next((sign for sign in 'a5 .-/x:"' if sign not in options), "~")
    return rng.choice(options)


def repeats(tree: Iterable[Any]) -> Iterator[tuple[list[Any], Any]]:
    """What stands before each repeated part, and the part."""
    items = list(tree)
    for at, (kind, value) in enumerate(items):
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            if int(value[1]) >= 64:
                yield items[:at], value[2]
            yield from repeats(value[2])
        elif kind is op.SUBPATTERN:
            yield from repeats(value[-1])
        elif kind is op.ATOMIC_GROUP:
            yield from repeats(value)
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from repeats(branch)


def baits(pattern: re.Pattern[Any]) -> list[tuple[str, str, str]]:
    """(beginning, repeated part, end) of the texts to try."""
    source = pattern.pattern
    tree = sre.parse(source, pattern.flags & ~re.UNICODE if isinstance(source, bytes) else pattern.flags)
    rng = random.Random(1)
    begins, atoms = [""], list(ATOMS)
    for before, part in repeats(tree):
        # Several, because a part may be one of several things.
        atoms += [example(part, rng)[:20] for _ in range(6)]
        begins.append(example(before, rng))
    begins.append(example(tree, rng))
    return [
        (begin, atom, end)
        for begin in dict.fromkeys(begins[-6:])
        for atom in list(dict.fromkeys(atoms))[-24:]
        for end in ("", "\x01")
        if atom
    ]


def work(pattern: re.Pattern[Any], method: str, bait: tuple[str, str, str], length: int) -> float:
    begin, atom, end = bait
    text: Any = begin + atom * (length // len(atom)) + end
    text = text.encode() if isinstance(pattern.pattern, bytes) else text
    started = time.process_time()
    getattr(pattern, method)(text)
    return time.process_time() - started


def suspicion(pattern: re.Pattern[Any], used: set[str]) -> str:
    """The text that takes the pattern too long, empty when there is none."""
    methods = {one if one in ("match", "fullmatch") else "search" for one in used} or {"search", "fullmatch"}
    for method in sorted(methods):
        for bait in baits(pattern):
            signal.setitimer(signal.ITIMER_VIRTUAL, 1.5)
            try:
                long = work(pattern, method, bait, LENGTH)
                if long < 0.2 or long < 10 * work(pattern, method, bait, LENGTH // 4):
                    continue
            except TooLong:
                pass
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            return f"{pattern.pattern!r} {method} {bait}"
    return ""


@pytest.fixture
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TooLong

    old = signal.signal(signal.SIGVTALRM, ring)
    yield
    signal.signal(signal.SIGVTALRM, old)


@pytest.mark.usefixtures("_alarm")
def test_no_pattern_backtracks_badly() -> None:
    known = {one: used for one, used in patterns().items() if one.pattern not in NOT_OF_A_BUNDLE}
    assert len(known) > 250
    assert [bad for one, used in known.items() if (bad := suspicion(one, used))] == []


@pytest.mark.usefixtures("_alarm")
@pytest.mark.parametrize(
    "pattern",
    [r"(?:NAME)(?:\s+(?:NOMINATED NODE|[A-Z][A-Z()-]*))+", r"==\s*(?P<t>\S.{0,300}?)\s*(?:={2,})?\s*", r"(?:a+)+b"],
)
def test_a_bad_pattern_would_be_found(pattern: str) -> None:
    assert suspicion(re.compile(pattern), {"fullmatch"})
