"""Every step and mechanism of the packet walk has its words, and the words use only values that the walk gives.

The slugs and the names of their values are read from the source, so that a new `self.step(...)`, `Stop(...)`,
`Arrival(...)` or `Rejected(...)` without a sentence fails here and not in a user's report.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

import analyzer.forwarding
from analyzer.report.messages import Messages, catalogue, duplicates

ENDINGS = ("Stop", "Arrival", "Rejected")
"""What carries a mechanism; `Rejected` calls it slug, and its values are those of the Arrival it becomes."""

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Use:
    """One place in the code that gives a slug: `values` are the names it gives for certain."""

    id: str
    values: frozenset[str]
    where: str


@cache
def signatures() -> dict[str, inspect.Signature]:
    found: dict[str, inspect.Signature] = {}
    for one in pkgutil.iter_modules(analyzer.forwarding.__path__, "analyzer.forwarding."):
        module = importlib.import_module(one.name)
        found |= {name: inspect.signature(getattr(module, name)) for name in ENDINGS if hasattr(module, name)}
    assert set(found) == set(ENDINGS)
    return found


@cache
def trees() -> dict[str, ast.Module]:
    names = [one.name for one in pkgutil.iter_modules(analyzer.forwarding.__path__, "analyzer.forwarding.")]
    return {name: ast.parse(inspect.getsource(importlib.import_module(name))) for name in names}


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, Function]]:
    """Every call with the innermost function around it."""

    def inside(node: ast.AST, function: Function | None) -> Iterator[tuple[ast.Call, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and function is not None:
                yield child, function
            yield from inside(child, child if isinstance(child, Function) else function)

    yield from inside(tree, None)


def assigned(name: ast.Name, function: Function) -> list[ast.expr]:
    """What a local name was set to before the place where it is used, in the order of the lines."""
    found = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and node.lineno < name.lineno
        if any(isinstance(target, ast.Name) and target.id == name.id for target in node.targets)
    ]
    return [node.value for node in sorted(found, key=lambda node: node.lineno)]


def texts(node: ast.expr, function: Function, where: str) -> frozenset[str]:
    """The strings an expression can be: a constant, a conditional of constants, or a local name set to them."""
    match node:
        case ast.Constant(value=str(text)):
            return frozenset({text})
        case ast.IfExp():
            return texts(node.body, function, where) | texts(node.orelse, function, where)
        case ast.Name() if values := assigned(node, function):
            return frozenset().union(*(texts(value, function, where) for value in values))
    raise AssertionError(f"{where}: this test cannot read the slug {ast.unparse(node)}; write it as a constant")


def keys(node: ast.expr | None, function: Function, where: str) -> frozenset[str]:
    """The names a dictionary of values has; a local name is what it was set to last."""
    match node:
        case None:
            return frozenset()
        case ast.Dict():
            return frozenset(str(key.value) for key in node.keys if isinstance(key, ast.Constant))
        case ast.Name() if values := assigned(node, function):
            return keys(values[-1], function, where)
    raise AssertionError(f"{where}: this test cannot read the values {ast.unparse(node)}")


def arguments(kind: str, call: ast.Call) -> dict[str, ast.expr]:
    """The expressions of a call by the names of the parameters."""
    words = {word.arg: word.value for word in call.keywords if word.arg}
    return dict(signatures()[kind].bind(*call.args, **words).arguments)


def step_uses(call: ast.Call, function: Function, where: str) -> Iterator[Use]:
    slug = call.args[0] if call.args else next(word.value for word in call.keywords if word.arg == "slug")
    names = frozenset(word.arg for word in call.keywords if word.arg) - {"slug", "hook", "packet", "evidence"}
    for text in texts(slug, function, where):
        yield Use(f"step.{text}", names, where)


def ending_uses(kind: str, call: ast.Call, function: Function, where: str) -> Iterator[Use]:
    bound = (
        signatures()[kind].bind(*call.args, **{word.arg: word.value for word in call.keywords if word.arg}).arguments
    )
    if kind == "Rejected":
        for text in texts(bound["slug"], function, where):
            yield Use(f"mechanism.{text}", rejected_values(), where)
    elif "mechanism" in bound and ast.unparse(bound["mechanism"]) != "self.slug":
        values = keys(bound.get("values"), function, where)
        for text in texts(bound["mechanism"], function, where):
            yield Use(f"mechanism.{text}", values, where)


@cache
def rejected_values() -> frozenset[str]:
    """The values of the Arrival that a Rejected becomes: there the mechanism is written `self.slug`."""
    found = []
    for name, tree in trees().items():
        for call, function in calls(tree):
            if ast.unparse(call.func) == "Arrival":
                bound = arguments("Arrival", call)
                if "mechanism" in bound and ast.unparse(bound["mechanism"]) == "self.slug":
                    found.append(keys(bound.get("values"), function, name))
    assert len(found) == 1
    return found[0]


@cache
def uses() -> tuple[Use, ...]:
    found: list[Use] = []
    for name, tree in trees().items():
        for call, function in calls(tree):
            where = f"{name}:{call.lineno}"
            if isinstance(call.func, ast.Attribute) and call.func.attr == "step":
                found += step_uses(call, function, where)
            elif isinstance(call.func, ast.Name) and call.func.id in ENDINGS:
                found += ending_uses(call.func.id, call, function, where)
    return tuple(found)


def given() -> dict[str, frozenset[str]]:
    """Per id the values that every place in the code gives."""
    found: dict[str, frozenset[str]] = {}
    for use in uses():
        found[use.id] = found.get(use.id, use.values) & use.values
    return found


def template(id: str) -> str:
    message = catalogue("en").get(id)
    places = ", ".join(use.where for use in uses() if id in (use.id, f"{use.id}.short"))
    assert message is not None, f"{id} is not in the catalogue; used at {places}"
    assert isinstance(message.string, str)
    return message.string


IDS = sorted(given())


def test_the_source_is_read() -> None:
    assert {"step.ipvs-schedule", "step.end", "mechanism.martian-source", "mechanism.ipvs-no-destination"} <= set(IDS)
    assert {"mechanism.ipvs-filter-reject", "mechanism.rejected", "mechanism.local-process"} <= set(IDS)
    assert given()["step.ipvs-schedule"] >= {"server", "real_server"}
    assert given()["mechanism.rejected"] >= {"chain", "node"}
    assert given()["mechanism.no-route"] >= {"node", "address"}


@pytest.mark.parametrize("id", IDS)
def test_each_slug_has_a_sentence_and_a_short_form(id: str) -> None:
    sentence, short = template(id), template(f"{id}.short")
    assert sentence.endswith(".")
    assert not re.search(r"[.!?]\s", sentence), "one sentence"
    assert sentence.count("`") % 2 == 0
    assert "`" not in short, "a drawing shows no code spans"
    assert not short.endswith(".")
    assert 1 <= len(short.split()) <= (6 if id.startswith("step.") else 5)


@pytest.mark.parametrize("id", IDS)
def test_sentences_use_only_values_that_the_code_always_gives(id: str) -> None:
    for name in (id, f"{id}.short"):
        assert set(PLACEHOLDER.findall(template(name))) <= given()[id]


@pytest.mark.parametrize("id", IDS)
def test_every_value_finds_its_place(id: str) -> None:
    """No mark of a missing value or message is left in what the report shows."""
    values = {name: f"value-of-{name}" for name in given()[id]}
    for name in (id, f"{id}.short"):
        text = Messages("en").text(name, **values)
        assert "⟦" not in text
        assert "{" not in text
        assert "⟦" not in Messages("en").html(name, **values)


def test_no_sentence_is_left_over() -> None:
    wanted = {name for id in IDS for name in (id, f"{id}.short")}
    there = {str(message.id) for message in catalogue("en") if str(message.id).startswith(("step.", "mechanism."))}
    assert there - wanted == set()


def test_no_id_stands_twice() -> None:
    assert {id for id in duplicates("en") if id.startswith(("step.", "mechanism."))} == set()
