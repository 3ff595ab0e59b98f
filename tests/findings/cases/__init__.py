"""For every rule a cluster that has the fault: a capture, changed in one place where no capture has it.

`CASES` is what the tests check and what the worked examples of docs/rules are made of.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from analyzer import api
from analyzer.intent import read_intent
from analyzer.report.analysis import Analysis
from tests import lab
from tests.findings.cases import drift, edge, node, objects, reach
from tests.findings.edits import TERWAY


@dataclass(frozen=True)
class Case:
    """`base` is a recorded cluster, `change` edits its unpacked files, `apply` are words of ``--apply``, `said` an intent file."""

    rule: str
    base: str
    change: Callable[[Path], None] | None = None
    apply: tuple[str, ...] = ()
    said: str = ""
    inherent: bool = False
    """The recorded cluster has it by itself."""


def _cases() -> Iterator[Case]:
    for rule, base in reach.RECORDED.items():
        yield Case(rule, base, inherent=True)
    for module in (drift, edge, node, objects, reach):
        for rule, change in module.CHANGES.items():
            yield Case(rule, getattr(module, "BASES", {}).get(rule, TERWAY), change, inherent=rule in ("REACH-099",))
    for rule, words in objects.APPLIED.items():
        yield Case(rule, TERWAY, apply=words)
    for rule, said in objects.SAID.items():
        yield Case(rule, "1.28.3-terway-local", said=said)


CASES: tuple[Case, ...] = tuple(sorted(_cases(), key=lambda one: one.rule))


@contextmanager
def analysed(case: Case) -> Iterator[Analysis]:
    """The whole analysis of a case, without trying fixes out."""
    with tempfile.TemporaryDirectory() as name:
        folder = lab.unpack(case.base, Path(name) / "bundle")
        if case.change is not None:
            case.change(folder)
        intent = None
        if case.said:
            path = Path(name) / "intent.yaml"
            path.write_text(case.said, "utf-8")
            intent = read_intent(path)
        with api.opened(folder, apply=case.apply) as snapshot:
            yield api.analyze(snapshot, intent=intent, simulate=False)
