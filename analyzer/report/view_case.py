"""The case: whose it is and when, what the answer rests on, how it can be computed again, and the words it uses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from analyzer.observations import Seen
from analyzer.report.analysis import Analysis
from analyzer.report.limits import Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.view_inputs import EXPECTED, complete_nodes, unread_lines
from analyzer.report.view_trace import names_of

META = ("ticket", "customer", "cluster", "captured", "author", "time")
"""What the cover tells of a case, in this order; `--meta` may name others, which follow."""
TERMS = (
    "service", "endpoint", "cluster-ip", "node-port", "load-balancer", "listener", "kube-proxy", "ipvs", "kube-ipvs0", "ipset", "iptables",
    "policy", "nat", "conntrack", "refused", "timeout", "hairpin", "martian", "drift", "simulation", "confidence",
)  # fmt: skip
"""Words that a reader who is not a network engineer asks about."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what stands behind it; `given` is false where nobody said it."""

    slug: str
    label: str
    value: str
    given: bool


@dataclass(frozen=True, slots=True)
class Case:
    """Everything about the report itself."""

    meta: tuple[Fact, ...]
    sure: tuple[str, ...]
    """What the answer rests on, a sentence each."""
    missing: tuple[str, ...]
    """What was not collected, a sentence each; empty when nothing is missing."""
    reproduce: tuple[Fact, ...]
    glossary: tuple[tuple[str, Markup], ...]
    identifier: str
    """Digest of input, options, version and rules: equal identifiers mean equal findings."""


def case(analysis: Analysis, messages: Messages, limits: Limits, generated: str) -> Case:
    return Case(
        meta=_meta(analysis, messages, generated),
        sure=tuple(_sure(analysis, messages)),
        missing=tuple(_missing(analysis, messages, limits)),
        reproduce=_reproduce(analysis, messages),
        glossary=tuple((messages.text(f"page.term.{term}"), messages.html(f"page.term.{term}.text")) for term in TERMS),
        identifier=_identifier(analysis),
    )


def _said(analysis: Analysis, generated: str) -> Mapping[str, str]:
    """What the bundle's manifest says, then what the user says."""
    manifest = analysis.snapshot.manifest
    said = {"time": generated}
    for key, names in (("cluster", ("cluster",)), ("captured", ("finished", "started"))):
        said[key] = next(
            (str(manifest[name]) for name in names if isinstance(manifest.get(name), str) and manifest[name]), ""
        )
    own = manifest.get("meta")
    if isinstance(own, Mapping):
        said |= {str(key): str(value) for key, value in own.items() if isinstance(value, str | int | float)}
    return {**said, **analysis.meta}


def _meta(analysis: Analysis, messages: Messages, generated: str) -> tuple[Fact, ...]:
    said = _said(analysis, generated)
    facts = [
        Fact(key, messages.text(f"page.meta.{key}"), cut(clean(said.get(key, "")), 80) or "–", bool(said.get(key)))
        for key in META
    ]
    others = [
        Fact("other", cut(clean(key), 40), cut(clean(value), 120), True)
        for key, value in sorted(said.items())
        if key not in META and value
    ]
    return (*facts, *others[:6])


def _sure(analysis: Analysis, messages: Messages) -> list[str]:
    cells = analysis.matrix.cells.values()
    captured = sum(one.layer == "captured" for one in cells)
    whole = "page.sure.walked.all" if cells and captured == len(cells) else "page.sure.walked"
    said = [messages.text(whole, n=len(cells), captured=captured)]
    seen = analysis.observations
    if seen.decided:
        failing = sum(_seen_to_fail(analysis, one) for one in seen.cells)
        said.append(messages.text("page.sure.seen", confirmed=seen.confirmed, decided=seen.decided, failing=failing))
    elif analysis.snapshot.simulated:
        said.append(messages.text("page.sure.simulated"))
    else:
        said.append(messages.text("report.observations.none" if seen.nodes else "report.observations.no-capture"))
    unknown = sum(one.outcome == "unknown" for one in cells)
    if unknown:
        said.append(messages.text("page.sure.unknown", n=unknown))
    return said


def _seen_to_fail(analysis: Analysis, one: Seen) -> bool:
    """conntrack confirms that this connection fails."""
    return one.status == "confirmed" and analysis.matrix.cells[(one.source, one.target)].outcome != "ok"


def _missing(analysis: Analysis, messages: Messages, limits: Limits) -> list[str]:
    """Captures that nodes lack, inputs that rules lacked, lines that could not be read, connections that were not walked."""
    snapshot = analysis.snapshot
    said = []
    complete, total = complete_nodes(snapshot), len(snapshot.node_names)
    if not total:
        said.append(messages.text("page.missing.no-node"))
    elif complete < total:
        lacking: dict[str, int] = {}
        for node in snapshot.node_names:
            for capture in EXPECTED:
                if not snapshot.has(node, capture):
                    lacking[capture] = lacking.get(capture, 0) + 1
        listed = sorted(lacking.items(), key=lambda one: -one[1])
        shown = messages.text("page.and").join(
            messages.text("page.missing.capture", capture=name, n=count) for name, count in listed[:6]
        )
        said.append(
            messages.text(
                "page.missing.nodes", n=total - complete, total=total, list=shown or messages.text("page.missing.cut")
            )
        )
    inputs = dict.fromkeys(need for one in analysis.findings.skipped for need in one.missing)
    if inputs:
        named = names_of(list(inputs), limits)
        shown = messages.text("page.and").join(named.shown[:6]) + (f" (+{len(inputs) - 6})" if len(inputs) > 6 else "")
        rules = [one.rule for one in analysis.findings.skipped]
        shown_rules = ", ".join(map(clean, rules[:4])) + (f" (+{len(rules) - 4})" if len(rules) > 4 else "")
        said.append(messages.text("page.missing.inputs", list=shown, n=len(rules), rules=shown_rules))
    inferred = sum(one.layer == "inferred" for one in analysis.matrix.cells.values())
    if inferred:
        said.append(messages.text("report.summary.inferred", n=inferred, total=len(analysis.matrix.cells)))
    unread = unread_lines(snapshot)
    if unread:
        said.append(messages.text("report.summary.notes", n=unread))
    said += [messages.text("page.missing.not-walked", what=one) for one in analysis.matrix.left_out]
    return said


def _reproduce(analysis: Analysis, messages: Messages) -> tuple[Fact, ...]:
    count, digest = analysis.rule_set
    snapshot = analysis.snapshot
    facts = [
        ("tool", f"ipvscope {analysis.tool_version}"),
        ("rules", messages.text("page.reproduce.rule-set", n=count, digest=digest) if digest else "–"),
        ("source", snapshot.source),
        ("layout", snapshot.layout),
        ("digest", snapshot.digest),
        ("options", " ".join(analysis.options) or messages.text("page.reproduce.no-options")),
        ("identifier", _identifier(analysis)),
    ]
    return tuple(
        Fact(slug, messages.text(f"page.reproduce.{slug}"), cut(clean(value), 600), True) for slug, value in facts
    )


def _identifier(analysis: Analysis) -> str:
    said = "\n".join((analysis.snapshot.digest, analysis.tool_version, analysis.rule_set[1], *analysis.options))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]
