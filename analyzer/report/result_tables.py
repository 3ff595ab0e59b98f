"""What an analysis found, as declared tables beside those of the snapshot: `analyze --format csv,xlsx,parquet` writes all of them.

Texts are made printable (see `plain`); the words of `title`, `statement` and the like follow the chosen language, ids never do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from analyzer.evidence import Evidence
from analyzer.findings.drift import drift
from analyzer.report.analysis import Analysis
from analyzer.report.causes import statement_of
from analyzer.report.messages import Messages
from analyzer.report.plain import clean
from analyzer.report.view_findings import one_liner
from analyzer.schema import Column, TableSchema
from analyzer.snapshot.model import Snapshot
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

    Row = dict[str, Any]

_RULE = Column("rule", "str", "id of the rule (`REACH-001`)")
_ABOUT = Column("about", "str", "what it is about; (`rule`, `about`) identifies a finding between runs")
_SEVERITY = Column("severity", "str", "critical, warning, notice, info")
_NODES = Column("nodes", "str", "nodes concerned, joined by `;`")
_SERVICES = Column("services", "str", "Services concerned, joined by `;`")
_SOURCE = Column("source", "str", "client: `node:NAME`, `pod:NAMESPACE/NAME` or `external:IP`")
_TARGET = Column("target", "str", "address dialled: `IP:PORT/PROTOCOL`")
_FILE = Column("file", "str", "member of the bundle that proves it, relative to its root")
_LINE = Column("line", "Int64", "line in `file`, counted from 1; null for the whole file")
_TEXT = Column("text", "str", "the quoted line, at most 240 characters")

MATRIX = TableSchema(
    "matrix", "one connection that was walked",
    (
        _SOURCE,
        Column("source_kind", "str", "node, pod, backend-pod, external"),
        _TARGET,
        Column("target_kind", "str", "cluster-ip, node-port, load-balancer, external-ip, load-balancer-listener, local-listener"),
        Column("service", "str", "`NAMESPACE/NAME`; null for a listener that belongs to no Service"),
        Column("outcome", "str", "ok, refused, timeout, unreachable, wrong-server, mixed, unknown"),
        Column("outcomes", "str", "what a client can see, over all paths, joined by `;`"),
        Column("servers", "str", "who answers, joined by `;`"),
        Column("seen_source_ips", "str", "client addresses the server sees, joined by `;`"),
        Column("mechanism", "str", "why, as a stable slug"),
        Column("confidence", "str", "high (captured), medium (modelled), low (assumed)"),
        Column("missing", "str", "inputs that could change the answer, joined by `;`"),
        Column("layer", "str", "captured, or inferred where expected state stood in"),
    ),
)  # fmt: skip
FINDINGS = TableSchema(
    "findings", "one finding, most severe first",
    (
        _RULE, _ABOUT, _SEVERITY,
        Column("title", "str", "what was found, in one line"),
        Column("confidence", "str", "high, medium, low"),
        Column("suppressed", "str", "why it is accepted (policy file); null for one that counts"),
        _NODES, _SERVICES,
        Column("vantages", "str", "clients concerned, joined by `;`"),
        Column("targets", "str", "addresses concerned, joined by `;`"),
        Column("cells", "Int64", "failing connections it explains"),
        Column("fix", "str", "first fix card that can be used"),
        Column("fix_state", "str", "what that fix does in simulation: solves, partly, open, no, not-simulated"),
        _FILE, _LINE, _TEXT,
    ),
)  # fmt: skip
EVIDENCE = TableSchema(
    "evidence", "one line of the bundle behind a finding",
    (_RULE, _ABOUT, Column("position", "Int64", "place among the lines of the finding, from 1"),
     Column("node", "str", "node of the capture; null for cluster-wide facts"), _FILE, _LINE, _TEXT),
)  # fmt: skip
FIXES = TableSchema(
    "fixes", "one fix card filled for one finding, in the order to consider them",
    (
        _RULE, _ABOUT,
        Column("position", "Int64", "place among the fixes of the finding, from 1"),
        Column("card", "str", "id of the fix card"),
        Column("title", "str", "what to do"),
        Column("usable", "boolean", "false when a prerequisite is not met"),
        Column("state", "str", "in simulation: solves, partly, open, no, not-simulated; null when not tried"),
        Column("solved", "Int64", "connections of the finding that work afterwards"),
        Column("total", "Int64", "connections of the finding that were tried"),
        Column("compared", "Int64", "other connections compared"),
        Column("broken", "Int64", "of those, how many no longer work"),
        Column("unsure", "Int64", "of those, how many can no longer be told"),
        Column("sources", "Int64", "of those, how many show servers another client address"),
    ),
)  # fmt: skip
CAUSES = TableSchema(
    "causes", "one root cause, most severe and widest first",
    (
        Column("kind", "str", "kind of cause, as a slug"),
        _ABOUT,
        Column("owner", "str", "who can end it: cluster, kube-proxy, load-balancer, application, nodes, nobody, open"),
        _SEVERITY,
        Column("statement", "str", "what the cause is"),
        Column("findings", "str", "`RULE ABOUT` of its findings, joined by `;`"),
        _NODES, _SERVICES,
        Column("cells", "Int64", "failing connections it explains, each once"),
        _FILE, _LINE, _TEXT,
    ),
)  # fmt: skip
DRIFT = TableSchema(
    "drift", "one difference between what a node holds and what kube-proxy should have programmed",
    (
        Column("node", "str", "the node"),
        Column("kind", "str", "real-server-stale, virtual-server-missing, vip-missing, set-member-extra ..."),
        Column("service", "str", "`NAMESPACE/NAME`"),
        Column("server", "str", "virtual server (`tcp/10.0.0.1:80`) or ipset"),
        Column("detail", "str", "real server, address, member, or both readings of the flags"),
        Column("expected", "str", "what the objects ask for, where both sides say something"),
        Column("captured", "str", "what the node holds, where both sides say something"),
        Column("benign", "boolean", "a real server that drains: kube-proxy removes it by itself"),
        Column("skew", "boolean", "the captures compared are more than a minute apart"),
        _FILE, _LINE, _TEXT,
    ),
)  # fmt: skip
OBSERVATIONS = TableSchema(
    "observations", "one connection of the matrix of which conntrack says something",
    (
        _SOURCE, _TARGET,
        Column("status", "str", "confirmed or contradicted"),
        Column("entries", "Int64", "conntrack entries that decide it"),
        Column("differs", "str", "for a contradiction: outcome, server or source"),
        Column("predicted", "str", "what the walk says"),
        Column("observed", "str", "what conntrack shows"),
        _FILE, _LINE, _TEXT,
    ),
)  # fmt: skip
RESULTS = {one.name: one for one in (CAUSES, FINDINGS, EVIDENCE, FIXES, MATRIX, DRIFT, OBSERVATIONS)}


def all_tables(analysis: Analysis, messages: Messages) -> Iterator[tuple[TableSchema, pd.DataFrame]]:
    """What was found first, then the snapshot's tables, each with its declaration; tables without rows are among them."""
    for schema in RESULTS.values():
        yield schema, schema.frame(list(result_rows(schema, analysis, messages)))
    for name, schema in TABLES.items():
        yield schema, analysis.snapshot[name]


def result_rows(schema: TableSchema, analysis: Analysis, messages: Messages) -> Iterator[Row]:
    """The rows of one of RESULTS; texts are clean, empty ones null."""
    makers = {
        "causes": _causes, "findings": _findings, "evidence": _evidence, "fixes": _fixes, "matrix": _matrix, "drift": _drift,
        "observations": _observations,
    }  # fmt: skip
    for row in makers[schema.name](analysis, messages):
        yield {key: _value(value) for key, value in row.items()}


def _value(value: object) -> object:
    if isinstance(value, tuple | list):
        value = ";".join(map(str, value))
    return (clean(value) or None) if isinstance(value, str) else value


def _place(evidence: Iterable[Evidence], snapshot: Snapshot) -> Row:
    """The first line that proves it."""
    first = next(iter(evidence), None)
    if first is None:
        return {}
    quoted = snapshot.quote(first)
    return {"file": quoted.file, "line": quoted.line or None, "text": quoted.text}


def _matrix(analysis: Analysis, _messages: Messages) -> Iterator[Row]:
    for row in analysis.matrix.targets:
        for vantage in analysis.matrix.vantages:
            verdict = analysis.matrix.cells.get((vantage.source, row.target))
            if verdict is not None:
                yield {
                    "source": str(vantage.source), "source_kind": vantage.kind, "target": str(row.target), "target_kind": row.kind,
                    "service": row.service, "outcome": verdict.outcome, "outcomes": verdict.outcomes, "servers": verdict.servers,
                    "seen_source_ips": verdict.seen_source_ips, "mechanism": verdict.mechanism,
                    "confidence": verdict.confidence, "missing": verdict.missing, "layer": verdict.layer,
                }  # fmt: skip


def _findings(analysis: Analysis, messages: Messages) -> Iterator[Row]:
    for one in analysis.findings.findings:
        fix = next((fix for fix in analysis.remedies_of(one) if fix.usable), None)
        proof = analysis.proof_of(one, fix) if fix is not None else None
        yield {
            "rule": one.rule, "about": one.about, "severity": one.severity, "title": one_liner(one, messages),
            "confidence": one.confidence, "suppressed": one.suppressed, "nodes": one.nodes, "services": one.services,
            "vantages": one.vantages, "targets": one.targets, "cells": len(one.cells), "fix": fix.card if fix else None,
            "fix_state": proof.state if proof else None, **_place(one.evidence, analysis.snapshot),
        }  # fmt: skip


def _evidence(analysis: Analysis, _messages: Messages) -> Iterator[Row]:
    for one in analysis.findings.findings:
        for position, place in enumerate(one.evidence, 1):
            yield {"rule": one.rule, "about": one.about, "position": position, "node": place.node,
                   **_place((place,), analysis.snapshot)}  # fmt: skip


def _fixes(analysis: Analysis, messages: Messages) -> Iterator[Row]:
    for one in analysis.findings.findings:
        for position, fix in enumerate(sorted(analysis.remedies_of(one), key=lambda fix: not fix.usable), 1):
            row: Row = {
                "rule": one.rule, "about": one.about, "position": position, "card": fix.card, "usable": fix.usable,
                "title": messages.text(f"fix.{fix.card}.title", **fix.values).replace("`", ""),
            }  # fmt: skip
            proof = analysis.proof_of(one, fix)
            if proof is not None:
                row |= {"state": proof.state}
            if proof is not None and proof.state != "not-simulated":
                row |= {
                    "solved": proof.solved, "total": len(proof.cells), "compared": proof.compared, "broken": proof.broken,
                    "unsure": proof.unsure, "sources": proof.sources,
                }  # fmt: skip
            yield row


def _causes(analysis: Analysis, messages: Messages) -> Iterator[Row]:
    for one in analysis.incidents:
        yield {
            "kind": one.kind, "about": one.about, "owner": one.owner, "severity": one.severity,
            "statement": statement_of(one, messages), "findings": [" ".join(key) for key in one.findings],
            "nodes": one.nodes, "services": one.services, "cells": one.cells, **_place(one.decisive, analysis.snapshot),
        }  # fmt: skip


def _drift(analysis: Analysis, _messages: Messages) -> Iterator[Row]:
    for one in drift(analysis.snapshot):
        yield {
            "node": one.node, "kind": one.kind, "service": one.service, "server": one.server, "detail": one.detail,
            "expected": one.expected, "captured": one.captured, "benign": one.benign, "skew": one.skew,
            **_place(one.evidence, analysis.snapshot),
        }  # fmt: skip


def _observations(analysis: Analysis, _messages: Messages) -> Iterator[Row]:
    for one in analysis.observations.cells:
        if one.status != "not-seen":
            yield {
                "source": str(one.source), "target": str(one.target), "status": one.status, "entries": one.entries,
                "differs": one.differs, "predicted": one.predicted, "observed": one.observed,
                **_place(one.evidence, analysis.snapshot),
            }  # fmt: skip
