"""The work of one ticket, as it runs in the child process: open, analyse, write the record and the reports into a work folder."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from analyzer import __version__, api
from analyzer.batch.fingerprint import cni_of, fingerprint, mode_of, version_of
from analyzer.batch.model import Cause, Found, Options, Record, Report
from analyzer.batch.store import REPORT_KIND
from analyzer.bundle import reasons
from analyzer.errors import BundleError, IpvscopeError, UnsafeBundle, UsageError
from analyzer.findings.inputs import undecided
from analyzer.findings.symptom import read_symptom
from analyzer.forwarding import build_world
from analyzer.report import html, json_report, pdf
from analyzer.report.analysis import Analysis
from analyzer.report.causes import statement_of
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.view_findings import one_liner
from analyzer.snapshot import Snapshot
from analyzer.snapshot.load import TOO_LARGE

HARMLESS = (reasons.LINK_DIR, reasons.CASE, reasons.DUPLICATE, reasons.NOT_A_CAPTURE)
"""Why something was left out that takes nothing from the analysis."""
MAX_CAUSES = 50
MAX_FINDINGS = 500
_TEXT = 500


class Request(msgspec.Struct, frozen=True):
    """What the child is to do: `path` is a local bundle, `folder` takes the record and the reports."""

    path: str
    folder: str
    symptom: str
    options: Options


class Spent(msgspec.Struct, frozen=True):
    """What it took."""

    seconds: float
    peak_mb: float


def analyse(request: Request) -> Spent:
    """Analyse one bundle and write ``record.json`` and the reports; a bundle that cannot be read is a record that says so."""
    started = time.monotonic()
    folder = Path(request.folder)
    messages = Messages(request.options.lang)
    try:
        record = _analysed(request, folder, messages)
    except IpvscopeError as error:
        limit = error.limit if isinstance(error, UnsafeBundle) else ""
        record = Record(
            status="failed", error=_line(error.what), limit=limit, name=_name(request.path), tool=__version__
        )
    (folder / "record.json").write_bytes(msgspec.json.encode(record))
    return Spent(round(time.monotonic() - started, 3), round(peak_mb(), 1))


def peak_mb() -> float:
    """Most memory this process, or one it waited for, has held at once, in MiB."""
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _name(path: str) -> str:
    return clean(Path(path).name)


def _line(text: str) -> str:
    return cut(clean(text), _TEXT)


def _analysed(request: Request, folder: Path, messages: Messages) -> Record:
    options = request.options
    with api.opened(request.path, node=options.node) as snapshot:
        if not any(snapshot.captured.values()):
            raise BundleError(messages.text("batch.nothing-recognised"))
        symptoms, note = _symptoms(request.symptom, snapshot, messages)
        analysis = api.analyze(snapshot, symptoms=symptoms, simulate=options.simulate)
        written: list[Report] = []
        missing = ""
        for name in options.reports:
            if name == "html":
                content = html.render(analysis, messages).encode("utf-8")
            elif name == "json":
                content = json_report.render(analysis, messages).encode("utf-8")
            else:
                try:
                    content = pdf.render(analysis, messages)
                except IpvscopeError as error:
                    # The analysis stands; what is missing is said.
                    missing = messages.text("batch.no-pdf", why=error.where or error.what)
                    continue
            (folder / f"report.{REPORT_KIND[name]}").write_bytes(content)
            written.append(name)
        return record_of(analysis, messages, tuple(written), note, missing)


def _symptoms(text: str, snapshot: Snapshot, messages: Messages) -> tuple[list[str], str]:
    """The symptom if it names a client and an address of this cluster; else what is to be said about it."""
    if not text.strip():
        return [], ""
    try:
        read_symptom(text, build_world(snapshot))
    except UsageError:
        return [], messages.text("batch.symptom-not-read")
    return [text], ""


def record_of(
    analysis: Analysis, messages: Messages, reports: tuple[Report, ...], note: str = "", missing: str = ""
) -> Record:
    """The short form of an analysis. `note` is said beside its status; something `missing` makes it incomplete."""
    snapshot = analysis.snapshot
    counted = [one for one in analysis.findings.findings if not one.suppressed]
    causes = tuple(
        Cause(
            kind=one.kind,
            owner=one.owner,
            severity=one.severity,
            about=_line(one.about),
            statement=_line(statement_of(one, messages)),
            rules=tuple(dict.fromkeys(rule for rule, _ in one.findings)),
            cells=one.cells,
            fingerprint=fingerprint(one, snapshot),
        )
        for one in analysis.incidents[:MAX_CAUSES]
    )
    lead = analysis.incidents[0].lead if analysis.incidents else next(iter(counted), None)
    lacking = " ".join(filter(None, (missing, incomplete(analysis, messages))))
    outcomes = Counter(verdict.outcome for verdict in analysis.matrix.cells.values())
    manifest = snapshot.manifest
    return Record(
        status="incomplete" if lacking else "ok",
        error=_line(" ".join(filter(None, (lacking, note)))),
        limit="memory" if (snapshot["captures"]["detail"] == TOO_LARGE).any() else "",
        name=clean(snapshot.source),
        digest=snapshot.digest,
        layout=snapshot.layout,
        cluster=_text(manifest, "cluster"),
        captured=_text(manifest, "started"),
        version=version_of(snapshot),
        cni=cni_of(snapshot),
        mode=mode_of(snapshot),
        nodes=len(snapshot.node_names),
        services=len(snapshot["services"]),
        cells_ok=outcomes["ok"],
        cells_failing=sum(outcomes.values()) - outcomes["ok"] - outcomes["unknown"],
        cells_unknown=outcomes["unknown"],
        top_finding=lead.rule if lead else "",
        top_title=_line(one_liner(lead, messages)) if lead else "",
        fingerprint=causes[0].fingerprint if causes else "",
        findings=tuple(
            Found(
                one.rule, _line(one.about), one.severity, one.situation, one.confidence, _line(one_liner(one, messages)),
                tuple(map(clean, one.services[:20])), len(one.nodes), len(one.cells),
            )
            for one in counted[:MAX_FINDINGS]
        ),
        causes=causes,
        reports=reports,
        tool=__version__,
    )  # fmt: skip


def _text(manifest: Mapping[str, object], key: str) -> str:
    value = manifest.get(key)
    return cut(clean(value), 200) if isinstance(value, str) else ""


def incomplete(analysis: Analysis, messages: Messages) -> str:
    """What keeps the analysis from being complete, as text; empty when nothing essential is missing.

    Neither node state nor Services; an essential capture or object that some node or the cluster lacks (INPUT-001 as a
    notice); a part of the bundle that could not be read.
    """
    snapshot = analysis.snapshot
    told: list[str] = []
    captures = snapshot["captures"]
    refused = captures[(captures["state"] == "refused") & ~captures["detail"].isin(HARMLESS)]
    if len(refused):
        first = refused.iloc[0]
        told.append(messages.text("batch.refused", n=len(refused), file=first["file"], why=first["detail"]))
    if undecided(snapshot):
        told.append(messages.text("batch.undecided"))
    else:
        told += [
            messages.text("batch.missing", missing=one.values["missing"])
            for one in analysis.findings.findings
            if one.rule == "INPUT-001" and one.severity == "notice"
        ]
    return " ".join(told)
