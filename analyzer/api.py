"""The verbs of ipvscope as functions: load a bundle, probe, trace, matrix, analyze. Frames in, frames out."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer import __version__
from analyzer.bundle import open_bundles
from analyzer.errors import UsageError
from analyzer.forwarding import (
    Source,
    Target,
    Trace,
    Verdict,
    World,
    build_world,
    parse_source,
    parse_target,
    verdict_of,
)
from analyzer.forwarding import matrix as walk_matrix
from analyzer.forwarding import trace as walk_trace
from analyzer.forwarding.journey import MAX_PATHS
from analyzer.progress import stage
from analyzer.snapshot import Snapshot, load

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.findings.policy import Policy, Suppression
    from analyzer.intent import Intent
    from analyzer.report.analysis import Analysis
    from analyzer.whatif import Edit, Outcome

BundlePath = str | os.PathLike[str]
VERDICT_COLUMNS = (
    "source", "target", "outcome", "outcomes", "servers", "seen_source_ips", "mechanism", "confidence", "missing", "layer",
)  # fmt: skip


@contextmanager
def opened(
    source: BundlePath | Sequence[BundlePath], *more: BundlePath, node: str = "", apply: Sequence[str] = ()
) -> Iterator[Snapshot]:
    """One bundle, or several of one cluster, as a snapshot; they stay open inside the block so that lines can be quoted.

    Args:
        source: folder, .tar, .tar.gz, .tar.xz, .tar.zst, .zip or a single capture; or a list of them.
        more: further bundles: of other nodes, of the cluster, by the same collector or another one.
        node: the node's name for captures that do not say.
        apply: changes to simulate first, in the words of ``--apply``.

    Raises:
        BundleError: it does not exist or cannot be read.
    """
    stage("reading")
    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    with open_bundles([*sources, *more], node=node) as bundle:
        snapshot = load(bundle, node=node, progress=partial(stage, "reading"))
        yield applied(snapshot, edits_of(snapshot, apply), apply).snapshot if apply else snapshot


def edits_of(snapshot: Snapshot, words: Sequence[str]) -> tuple[Edit, ...]:
    """Changes as the words of ``--apply`` say them (see `analyzer.whatif.words`).

    Raises:
        UsageError: a text is no change, or names what is not there.
    """
    from analyzer.whatif import parse_edits

    found: list[Edit] = []
    for word in words:
        card = word.split()
        fix = card[0:1] == ["fix"] and len(card) in (2, 3)
        found += _edits_of_fix(snapshot, card[1], "".join(card[2:])) if fix else parse_edits([word], snapshot)
    return tuple(found)


def _edits_of_fix(snapshot: Snapshot, card: str, about: str) -> tuple[Edit, ...]:
    """The edits of a fix card as the report fills it in: for the first finding that advises it (about that Service)."""
    from analyzer.findings import find
    from analyzer.observations import observe
    from analyzer.remedies import remedies_for
    from analyzer.remedies.case import Case
    from analyzer.remedies.registry import plan_of

    world = build_world(snapshot)
    cells = walk_matrix(world)
    advised: list[str] = []
    for finding in find(snapshot, world, cells, observe(snapshot, world, cells)).findings:
        for remedy in remedies_for(finding, snapshot, world):
            advised.append(remedy.card)
            if remedy.card.lower() == card.lower() and about in ("", finding.about, *finding.services):
                edits = plan_of(Case(finding, snapshot, world), remedy).edits
                if not edits:
                    raise UsageError(f"fix {card} changes nothing in the cluster that could be simulated")
                return edits
    listed = ", ".join(dict.fromkeys(advised)) or "none"
    raise UsageError(
        f"no finding of this bundle advises fix {card}{f' for {about}' if about else ''}", hint=f"advised: {listed}"
    )


def applied(snapshot: Snapshot, edits: Sequence[Edit], words: Sequence[str] = ()) -> Outcome:
    """The cluster after some changes, as the controllers and kube-proxy would leave it.

    The digest of the result is that of the bundle with `words`, so that two different simulations never look the same.

    Raises:
        UsageError: an edit cannot be applied.
    """
    from analyzer.whatif import apply

    outcome = apply(snapshot, edits)
    told = tuple(words) or tuple(map(repr, edits))
    digest = hashlib.sha256("\n".join((snapshot.digest, *told)).encode()).hexdigest()
    outcome.snapshot = replace(outcome.snapshot, simulated=told, digest=digest)
    return outcome


def example(name: str) -> Path:
    """The path of a sample bundle of the source tree (``clb-reuse``, ``drift`` ...).

    Raises:
        UsageError: there is no such sample, or this is an installation without the source tree.
    """
    folder = Path(__file__).parent.parent / "samples"
    path = folder / f"{name}.tar.gz"
    if not path.is_file():
        known = ", ".join(sorted(one.name.removesuffix(".tar.gz") for one in folder.glob("*.tar.gz")))
        raise UsageError(f"no sample {name!r}", hint=f"samples: {known}" if known else "samples are in the source tree")
    return path


def probe(world: World, source: str, target: str) -> Verdict:
    """Say what a client at `source` sees when it opens a connection to `target`.

    The packet is walked through the captured state of the node it starts on and of every place it visits, there and back.
    Where a capture is missing the expected state stands in and the verdict says `inferred`.

    Args:
        world: from `build_world(snapshot)`.
        source: ``node:NAME``, ``pod:NAMESPACE/NAME`` or ``external:IP``.
        target: ``IP:PORT``, optionally with ``/udp`` or ``/sctp``.

    Raises:
        UsageError: there is no such node or pod, or the target is none.

    >>> with opened(example("local-1.28-terway")) as snapshot:
    ...     probe(build_world(snapshot), "node:cn-hongkong.10.0.4.141", "192.168.1.200:80").mechanism
    'martian-source'
    """
    return trace(world, source, target).verdict


def trace(world: World, source: str, target: str) -> Trace:
    """The same as `probe` with every path, hop and step."""
    return _traced(world, parse_source(source, world), parse_target(target))


def _traced(world: World, source: Source, target: Target) -> Trace:
    """The walk of this very connection; where it has too many paths, its verdict comes from ways that share their walks."""
    found = walk_trace(world, source, target)
    return replace(found, verdict=verdict_of(world, source, target)) if len(found.paths) >= MAX_PATHS else found


def probe_frame(world: World, probes: pd.DataFrame) -> pd.DataFrame:
    """Verdicts for a frame with the columns source and target, in the same order (columns VERDICT_COLUMNS, all text).

    A source or target that does not exist gives an unknown verdict that says so; the other rows are not affected.
    """
    import pandas as pd

    absent = [name for name in ("source", "target") if name not in probes.columns]
    if absent:
        raise UsageError(f"the table of probes has no column {' and '.join(absent)}")
    known: dict[tuple[Source, Target], Verdict] = {}
    rows = []
    for source, target in zip(probes["source"], probes["target"], strict=True):
        try:
            key = (parse_source(str(source), world), parse_target(str(target)))
        except UsageError as error:
            rows.append(
                (source, target, "unknown", "unknown", "", "", "no-such-source-or-target", "low", error.what, "")
            )
            continue
        verdict = known.get(key)
        if verdict is None:
            verdict = known[key] = _traced(world, *key).verdict
        rows.append(
            (
                source,
                target,
                verdict.outcome,
                ";".join(verdict.outcomes),
                ";".join(verdict.servers),
                ";".join(verdict.seen_source_ips),
                verdict.mechanism,
                verdict.confidence,
                ";".join(verdict.missing),
                verdict.layer,
            )  # fmt: skip
        )
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS), dtype="str")


def analyze(
    snapshot: Snapshot,
    *,
    intent: Intent | None = None,
    policy: Policy | None = None,
    today: dt.date | None = None,
    symptoms: Sequence[str] = (),
    simulate: bool = True,
    illustrate: bool = False,
) -> Analysis:
    """The whole analysis: matrix, what conntrack says of it, findings, remedies and what they do in simulation.

    Args:
        intent: statements to check; one that is violated is a finding (INTENT-001).
        policy: other severities, and findings that are accepted for a while.
        symptoms: connections that somebody reported, as text; the findings that explain them come first.
        simulate: try the fixes out; without it they stand in the order of the finding.
        illustrate: walk one trace for each class of cells, for a report whose cells can be opened.
        today: the day on which suppressions are judged (UTC today by default).

    Raises:
        UsageError: the intent or a symptom names what is not there.
    """
    from analyzer.findings import find
    from analyzer.findings.drift import comparable, drift
    from analyzer.findings.illustrations import illustrations
    from analyzer.findings.policy import applied as apply_policy
    from analyzer.findings.registry import rule_set
    from analyzer.findings.symptom import read_symptom, with_symptoms
    from analyzer.intent import check
    from analyzer.intent.findings import intent_findings
    from analyzer.observations import Observations, observe
    from analyzer.remedies import Proof, Prover, Remedy, proven_remedies, remedies_for
    from analyzer.report.analysis import Analysis

    stage("walking")
    world = build_world(snapshot)
    cells = walk_matrix(world, progress=partial(stage, "walking"))
    stage("observing")
    # conntrack tells of the cluster as it was, not of a simulated one.
    observations = Observations() if snapshot.simulated else observe(snapshot, world, cells)
    stage("rules")
    findings = find(snapshot, world, cells, observations)
    results = check(intent, world) if intent is not None else ()
    if intent is not None:
        findings = replace(findings, findings=(*intent_findings(intent, results, snapshot, world), *findings.findings))
    notes: tuple[tuple[Suppression, ...], tuple[Suppression, ...]] = ((), ())
    if policy is not None:
        findings, expired, unused = apply_policy(findings, policy, today or dt.datetime.now(dt.UTC).date())
        notes = (expired, unused)
    told, reported = with_symptoms(findings, [read_symptom(one, world) for one in symptoms], world)
    findings = told
    prover = Prover(snapshot, world, findings.findings)
    remedies: dict[tuple[str, str], tuple[Remedy, ...]] = {}
    proofs: dict[tuple[str, str, str], Proof] = {}
    for number, one in enumerate(findings.findings):
        stage("fixes", number, len(findings.findings))
        key = (one.rule, one.about)
        if simulate:
            proven = proven_remedies(one, snapshot, world, prover)
            remedies[key] = tuple(fix.remedy for fix in proven)
            proofs |= {(*key, fix.remedy.card): fix.proof for fix in proven}
        else:
            remedies[key] = remedies_for(one, snapshot, world)
    stage("fixes", len(findings.findings), len(findings.findings))
    return Analysis(
        snapshot, cells, findings, remedies, __version__, observations, proofs, results, *notes, reported,
        drift=drift(snapshot), compared=sum(bool(comparable(snapshot, node)) for node in snapshot.node_names),
        traces=illustrations(world, cells) if illustrate else {}, rule_set=rule_set(),
    )  # fmt: skip
