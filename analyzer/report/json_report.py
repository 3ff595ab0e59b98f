"""The report as JSON for programs; its shape is declared in `json_model` and documented in `docs/report-json.md`.

Texts are the bundle's own, not shortened (except quoted lines); lone surrogates and control characters are replaced,
because neither is valid in the text of a JSON document that others read.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from analyzer.evidence import Evidence
from analyzer.findings.model import SEVERITIES, Finding
from analyzer.forwarding import model as forwarding
from analyzer.forwarding.matrix_model import Matrix
from analyzer.observations import Observations
from analyzer.remedies import Proof
from analyzer.remedies import model as remedies
from analyzer.report import json_model as out
from analyzer.report.analysis import Analysis
from analyzer.report.causes import statement_of
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, clean_block
from analyzer.report.view_findings import proof_sentences
from analyzer.report.view_tables import texts
from analyzer.snapshot.model import REGIME_KEYS, Snapshot

MAX_PROOF_CELLS = 100
_LONG = 1_000_000
"""No cell is cut here."""


def render(analysis: Analysis, messages: Messages | None = None) -> str:
    """The document, indented, with a newline at the end; its words are English unless `messages` says otherwise."""
    return _indented(report(analysis, messages or Messages()))


def render_trace(trace: forwarding.Trace, messages: Messages, snapshot: Snapshot) -> str:
    """One trace as JSON, as it stands in a finding's `example`."""
    return _indented(_Maker(snapshot, messages).trace(trace))


def schema() -> str:
    """The JSON Schema of the report (`docs/report.schema.json`)."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    made = msgspec.json.schema(out.Report)
    for definition in made["$defs"].values():  # Docstrings come indented or not, by the versions of Python and msgspec.
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return _indented({"$schema": dialect, "title": out.SCHEMA, **made})


def _indented(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=1).decode("utf-8") + "\n"


def report(analysis: Analysis, messages: Messages) -> out.Report:
    """The analysis in the declared shape."""
    snapshot = analysis.snapshot
    maker = _Maker(snapshot, messages)
    found = analysis.findings
    by_severity = Counter(finding.severity for finding in found.findings if not finding.suppressed)
    return out.Report(
        schema_="ipvscope-report/1",
        language=messages.tag,
        tool=out.Tool("ipvscope", clean(analysis.tool_version)),
        input=out.Input(
            clean(snapshot.source), clean(snapshot.layout), clean(snapshot.digest), _list(snapshot.node_names),
            len(snapshot["services"]), _list(snapshot.simulated),
        ),
        summary=out.Summary({severity: by_severity[severity] for severity in SEVERITIES}, _cells(analysis.matrix)),
        findings=[maker.finding(finding, analysis) for finding in found.findings],
        skipped=[out.Skipped(clean(item.rule), _list(item.missing)) for item in found.skipped],
        matrix=_matrix(analysis.matrix),
        regimes={clean(node): maker.regime(node) for node in snapshot.node_names},
        captures=_captures(snapshot),
        notes=_notes(snapshot),
        observations=maker.observations(analysis.observations),
        incidents=[
            out.Incident(
                one.kind, clean(one.about), one.owner, one.severity, clean(statement_of(one, messages)),
                [[clean(rule), clean(about)] for rule, about in one.findings], _list(one.nodes), _list(one.services), one.cells,
                maker.places(one.decisive),
            )
            for one in analysis.incidents
        ],
        symptoms=[
            out.Symptom(
                clean(one.text), clean(one.source), clean(one.target), one.reported, one.verdict.outcome, one.verdict.mechanism,
                one.agreement, [clean(part) for part in one.finding or ()],
            )
            for one in analysis.symptoms
        ],
        intent=[
            out.Statement(
                clean(one.statement.name), one.statement.must, one.standing, len(one.cells),
                [[clean(cell.source), clean(cell.target), cell.verdict.outcome] for cell in one.cells if cell.standing != "holds"],
            )
            for one in analysis.intent
        ],
    )  # fmt: skip


def _list(items: Iterable[object]) -> list[str]:
    return [clean(item) for item in items]


def _values(values: Mapping[str, object]) -> dict[str, str]:
    return {clean(key): clean(value) for key, value in values.items()}


def _cells(matrix: Matrix) -> out.Cells:
    outcomes = Counter(verdict.outcome for verdict in matrix.cells.values())
    total = sum(outcomes.values())
    captured = sum(verdict.layer == "captured" for verdict in matrix.cells.values())
    ok, unknown = outcomes["ok"], outcomes["unknown"]
    return out.Cells(total, ok, total - ok - unknown, unknown, captured, total - captured)


def _verdict(verdict: forwarding.Verdict) -> out.Verdict:
    return out.Verdict(
        verdict.outcome, _list(verdict.outcomes), _list(verdict.servers), _list(verdict.seen_source_ips),
        clean(verdict.mechanism), _list(verdict.mechanisms), verdict.confidence, _list(verdict.missing), verdict.layer,
    )  # fmt: skip


def _matrix(matrix: Matrix) -> out.Matrix:
    """Verdicts are listed once, in the order in which rows and columns first need them."""
    numbers: dict[forwarding.Verdict, int] = {}
    cells = []
    for row in matrix.targets:
        line = []
        for vantage in matrix.vantages:
            verdict = matrix.cells.get((vantage.source, row.target))
            line.append(-1 if verdict is None else numbers.setdefault(verdict, len(numbers)))
        cells.append(line)
    return out.Matrix(
        [out.Target(clean(row.target), row.kind, clean(row.service), clean(row.node)) for row in matrix.targets],
        [out.Vantage(clean(vantage.source), vantage.kind, clean(vantage.node)) for vantage in matrix.vantages],
        [_verdict(verdict) for verdict in numbers],
        cells,
        _list(matrix.left_out),
    )


def _captures(snapshot: Snapshot) -> list[out.Capture]:
    columns = ("file", "node", "capture", "state", "complete", "rows", "notes", "detail")
    rows = texts(snapshot["captures"], columns, _LONG)
    return [
        out.Capture(file, node, capture, state, complete != "False", int(count or 0), int(noted or 0), detail)
        for file, node, capture, state, complete, count, noted, detail in rows
    ]


def _notes(snapshot: Snapshot) -> out.Notes:
    rows = texts(snapshot["parse_notes"], ("reason", "file"), _LONG)
    reasons: dict[str, dict[str, int]] = {}
    for (reason, file), number in sorted(Counter(rows).items()):
        reasons.setdefault(reason, {})[file] = number
    return out.Notes(len(rows), reasons)


class _Maker:
    """Turns the parts that need the bundle's lines or words."""

    def __init__(self, snapshot: Snapshot, messages: Messages) -> None:
        self._snapshot, self._messages = snapshot, messages

    def places(self, evidence: Iterable[Evidence], *, quoted: bool = True) -> list[out.Place]:
        items = map(self._snapshot.quote, evidence) if quoted else evidence
        return [out.Place(clean(item.file), item.line, clean(item.text), clean(item.node)) for item in items]

    def regime(self, node: str) -> dict[str, out.Fact]:
        regime = self._snapshot.regime(node)
        return {
            key: out.Fact(clean(regime[key].value), regime[key].how, self.places(regime[key].evidence))
            for key in REGIME_KEYS
        }

    def observations(self, seen: Observations) -> out.Observations:
        return out.Observations(
            nodes=_list(seen.nodes), confirmed=seen.counts["confirmed"], contradicted=seen.counts["contradicted"],
            not_seen=seen.counts["not-seen"], not_compared=seen.not_compared,
            agreement=None if seen.agreement is None else round(seen.agreement, 6),
            cells=[
                out.Observed(
                    clean(cell.source), clean(cell.target), cell.status, cell.entries, cell.differs, clean(cell.predicted),
                    clean(cell.observed), self.places(cell.evidence, quoted=cell.status == "contradicted"),
                )
                for cell in seen.cells if cell.status != "not-seen"
            ],
            signs=[
                out.Sign(one.kind, clean(one.node), clean(one.server), clean(one.real_server), one.count,
                         self.places(one.evidence))
                for one in seen.signs
            ],
        )  # fmt: skip

    def finding(self, finding: Finding, analysis: Analysis) -> out.Finding:
        text = self._messages.text
        return out.Finding(
            rule=clean(finding.rule), about=clean(finding.about), severity=finding.severity,
            title=text(f"finding.{finding.rule}.title", **finding.values),
            text=text(f"finding.{finding.rule}.text", **finding.values), values=_values(finding.values),
            confidence=finding.confidence, situation=clean(finding.situation), nodes=_list(finding.nodes),
            services=_list(finding.services), vantages=_list(finding.vantages), targets=_list(finding.targets),
            suppressed=clean(finding.suppressed),
            evidence=self.places(finding.evidence), example=self.trace(finding.example) if finding.example else None,
            remedies=[
                self._remedy(fix, analysis.proof_of(finding, fix))
                for fix in sorted(analysis.remedies_of(finding), key=lambda fix: not fix.usable)
            ],
        )  # fmt: skip

    def trace(self, trace: forwarding.Trace) -> out.Trace:
        return out.Trace(
            clean(trace.source),
            clean(trace.target),
            _verdict(trace.verdict),
            [self._path(path) for path in trace.paths],
        )

    def _path(self, path: forwarding.Path) -> out.Path:
        why = self._messages.text(f"mechanism.{path.mechanism}", **path.values) if path.mechanism else ""
        hops = [out.Hop(clean(hop.place), hop.direction, [self._step(step) for step in hop.steps]) for hop in path.hops]
        return out.Path(
            path.outcome, clean(path.mechanism), why, clean(path.server), _list(path.also), clean(path.seen_source),
            round(path.share, 6), path.confidence, path.inferred, _list(path.missing), hops,
        )  # fmt: skip

    def _step(self, step: forwarding.Step) -> out.Step:
        packet = step.packet
        after = out.Packet(
            clean(packet.protocol), clean(packet.src), packet.sport, clean(packet.dst), packet.dport, packet.mark
        )
        words = self._messages.text(f"step.{step.slug}", **step.values)
        return out.Step(
            clean(step.slug), clean(step.hook), words, _values(step.values), after, self.places(step.evidence)
        )

    def _remedy(self, fix: remedies.Remedy, proof: Proof | None) -> out.Remedy:
        text = self._messages.text
        return out.Remedy(
            card=clean(fix.card), title=text(f"fix.{fix.card}.title", **fix.values),
            text=text(f"fix.{fix.card}.text", **fix.values), usable=fix.usable, partial=fix.partial,
            prerequisites=[
                out.Prerequisite(clean(item.slug), item.state, text(f"prerequisite.{item.slug}", **item.values))
                for item in fix.prerequisites
            ],
            changes=self._changes(fix, fix.changes),
            side_effects=[
                out.SideEffect(clean(slug), text(f"side-effect.{slug}", **fix.values)) for slug in fix.side_effects
            ],
            verify=self._changes(fix, fix.verify), sources=_list(fix.sources),
            proof=self._proof(proof) if proof is not None else None,
        )  # fmt: skip

    def _proof(self, proof: Proof) -> out.Proof:
        helped = proof.helped
        return out.Proof(
            state=proof.state, why=proof.why, text=[clean(one) for one in proof_sentences(proof, self._messages)],
            solved=proof.solved, total=len(proof.cells), compared=proof.compared, broken=proof.broken, unsure=proof.unsure,
            sources=proof.sources,
            cells=[
                out.ProofCell(
                    clean(one.source), clean(one.target), clean(one.dialled), one.before.outcome, one.after.outcome,
                    one.after.mechanism,
                )
                for one in proof.cells[:MAX_PROOF_CELLS]
            ],
            with_card=proof.with_card, helped_state=helped.state if helped is not None else "",
            helped_broken=helped.broken if helped is not None else 0,
        )  # fmt: skip

    def _changes(self, fix: remedies.Remedy, changes: Iterable[remedies.Change]) -> list[out.Change]:
        def title(change: remedies.Change) -> str:
            return self._messages.text(change.title, **fix.values) if change.title else ""

        return [out.Change(change.kind, title(change), clean_block(change.body)) for change in changes]
