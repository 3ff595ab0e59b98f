"""What somebody saw, against what the walk says: does the captured state explain it?

from node:cn-hongkong.10.0.4.141 to 192.168.1.200:443 refused
pod:default/web-1 -> 172.21.3.10:80 timeout
从 node:n1 访问 192.168.1.200:443 被拒绝
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from analyzer.errors import UsageError
from analyzer.findings.model import Finding, Findings
from analyzer.forwarding import Source, Target, Verdict, World, parse_source, parse_target, trace, verdict_of

Agreement = Literal["agrees", "disagrees", "open", "not-said"]
_SOURCE = re.compile(r"(?:node|pod|external):[^\s,，、;；]+")
_TARGET = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}(?:/[a-z]+)?")
_WORDS: Sequence[tuple[str, str]] = (
    (r"wrong|not the right|错误的?服务|证书错", "wrong-server"),
    (r"intermittent|sometimes|now and then|时通时不通|偶发|间歇", "mixed"),
    (r"refuse|reset|拒绝", "refused"),
    (r"time[ds]? ?out|hang|no answer|超时|无响应", "timeout"),
    (r"unreachable|no route|不可达", "unreachable"),
    (r"\bok\b|works|fine|正常|可达", "ok"),
)
SAME_TO_A_CLIENT = ({"timeout", "unreachable"},)


@dataclass(frozen=True, slots=True)
class Symptom:
    """A reported connection: what was reported (empty if nothing was said), what the walk says, and the finding that explains it."""

    text: str
    source: Source
    target: Target
    reported: str
    verdict: Verdict
    agreement: Agreement
    finding: tuple[str, str] | None = None


def read_symptom(text: str, world: World) -> Symptom:
    """Read a report of one connection and compare it with the walk.

    Raises:
        UsageError: it names no client (``node:``, ``pod:``, ``external:``) or no IP:PORT, or a client that is not there.
    """
    source, target = _SOURCE.search(text), _TARGET.search(text)
    if source is None or target is None:
        raise UsageError(
            f"not a symptom: {text!r}",
            hint="from node:NAME (pod:NS/NAME, external:IP) to IP:PORT refused (timeout, ok, intermittent ...)",
        )
    cell = (parse_source(source.group(), world), parse_target(target.group()))
    verdict = verdict_of(world, *cell)
    rest = text.replace(source.group(), " ").replace(target.group(), " ").lower()
    reported = next((outcome for pattern, outcome in _WORDS if re.search(pattern, rest)), "")
    return Symptom(text, *cell, reported, verdict, _agreement(reported, verdict))


def _agreement(reported: str, verdict: Verdict) -> Agreement:
    if not reported:
        return "not-said"
    if verdict.outcome == "unknown":
        return "open"
    seen = {verdict.outcome, *verdict.outcomes}
    if reported == "mixed":
        return "agrees" if verdict.outcome == "mixed" else "disagrees"
    if reported == "ok" and verdict.outcome == "wrong-server":
        return "agrees"  # to the client a connection that is made looks fine
    alike = next((group for group in SAME_TO_A_CLIENT if reported in group), {reported})
    return "agrees" if alike & seen else "disagrees"


def with_symptoms(
    findings: Findings, symptoms: Sequence[Symptom], world: World
) -> tuple[Findings, tuple[Symptom, ...]]:
    """(the findings with those that explain a symptom first, the symptoms with their findings).

    The finding's example becomes the reported connection itself.
    """
    listed = list(findings.findings)
    first: list[Finding] = []
    told = []
    for symptom in symptoms:
        cell = (str(symptom.source), str(symptom.target))
        explaining = next((one for one in (*first, *listed) if cell in one.cells), None)
        if explaining is None:
            told.append(symptom)
            continue
        told.append(replace(symptom, finding=(explaining.rule, explaining.about)))
        if explaining in listed:
            listed.remove(explaining)
            first.append(replace(explaining, example=trace(world, symptom.source, symptom.target)))
    return replace(findings, findings=(*first, *listed)), tuple(told)
