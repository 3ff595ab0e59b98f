"""The shape of the JSON report, ``ipvscope-report/1``: what is declared here is the schema (`docs/report.schema.json`).

Ids and values are stable; `title` and `text` are the same words as in the other formats and follow the chosen language.
Adding a field keeps the version; removing or changing one raises it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = "ipvscope-report/1"


class Tool(msgspec.Struct, frozen=True):
    """What made the report."""

    name: str
    version: str


class Input(msgspec.Struct, frozen=True):
    """What was analysed. `digest` is the SHA-256 over the members' paths and contents."""

    source: str
    layout: str
    digest: str
    nodes: list[str]
    services: int
    simulated: list[str]
    """Changes that were applied before the analysis; empty for the cluster as it was captured."""


class Cells(msgspec.Struct, frozen=True):
    """Connections of the matrix by what became of them; `bad` is everything between ok and unknown."""

    total: int
    ok: int
    bad: int
    unknown: int
    captured: int
    inferred: int


class Summary(msgspec.Struct, frozen=True):
    """Findings per severity, and the cells of the matrix."""

    severities: dict[str, int]
    cells: Cells


class Place(msgspec.Struct, frozen=True):
    """A line of the bundle: `line` counts from 1, 0 means the whole file. `text` quotes it (at most 240 characters)."""

    file: str
    line: int
    text: str
    node: str


class Fact(msgspec.Struct, frozen=True):
    """One fact of a node's regime; `value` is "unknown" when nothing tells it."""

    value: str
    how: Literal["state", "object", "version", "assumed"]
    evidence: list[Place]


class Capture(msgspec.Struct, frozen=True):
    """One member of the bundle. `node` is empty for cluster-wide members; `complete` is false when it was cut."""

    file: str
    node: str
    capture: str
    state: str
    complete: bool
    rows: int
    notes: int
    detail: str


class Vantage(msgspec.Struct, frozen=True):
    """Where a client is: a column of the matrix."""

    source: str
    kind: str
    node: str


class Target(msgspec.Struct, frozen=True):
    """What is dialled: a row of the matrix."""

    target: str
    kind: str
    service: str
    node: str


class Verdict(msgspec.Struct, frozen=True):
    """What a client sees."""

    outcome: str
    outcomes: list[str]
    servers: list[str]
    seen_source_ips: list[str]
    mechanism: str
    mechanisms: list[str]
    confidence: str
    missing: list[str]
    layer: str


class Matrix(msgspec.Struct, frozen=True):
    """`cells[row][column]` is an index into `verdicts`, or -1 where nothing was walked."""

    targets: list[Target]
    vantages: list[Vantage]
    verdicts: list[Verdict]
    cells: list[list[int]]
    left_out: list[str]


class Packet(msgspec.Struct, frozen=True):
    """Addresses, ports and mark at one place."""

    protocol: str
    src: str
    sport: int
    dst: str
    dport: int
    mark: int


class Step(msgspec.Struct, frozen=True):
    """One thing that happened; `packet` is the state after it."""

    slug: str
    hook: str
    text: str
    values: dict[str, str]
    packet: Packet
    evidence: list[Place]


class Hop(msgspec.Struct, frozen=True):
    """A visit to one place."""

    place: str
    direction: Literal["request", "reply"]
    steps: list[Step]


class Path(msgspec.Struct, frozen=True):
    """One way the connection can go."""

    outcome: str
    mechanism: str
    text: str
    server: str
    also: list[str]
    seen_source: str
    share: float
    confidence: str
    inferred: bool
    missing: list[str]
    hops: list[Hop]


class Trace(msgspec.Struct, frozen=True):
    """A connection, its verdict, and the paths it can take."""

    source: str
    target: str
    verdict: Verdict
    paths: list[Path]


class Prerequisite(msgspec.Struct, frozen=True):
    """A condition of a remedy, checked against the bundle."""

    slug: str
    state: Literal["met", "not-met", "unknown"]
    text: str


class Change(msgspec.Struct, frozen=True):
    """Something to apply or to run."""

    kind: Literal["command", "yaml", "text"]
    title: str
    body: str


class SideEffect(msgspec.Struct, frozen=True):
    """What else a remedy changes."""

    slug: str
    text: str


class ProofCell(msgspec.Struct, frozen=True):
    """One failing connection before and after; `dialled` is what the client dials afterwards."""

    source: str
    target: str
    dialled: str
    before: str
    after: str
    mechanism_after: str


class Proof(msgspec.Struct, frozen=True):
    """What a fix does in simulation. `text` says it; `broken`, `unsure` and `sources` count other connections, of `compared`.

    `with_card` is a further fix that mends what this one leaves, `helped_state` what both do together (else empty).
    """

    state: Literal["solves", "partly", "open", "no", "not-simulated"]
    why: str
    text: list[str]
    solved: int
    total: int
    compared: int
    broken: int
    unsure: int
    sources: int
    cells: list[ProofCell]
    with_card: str
    helped_state: str
    helped_broken: int


class Remedy(msgspec.Struct, frozen=True):
    """A fix card, filled. `usable` is false when a prerequisite is not met. The best proven one comes first."""

    card: str
    title: str
    text: str
    usable: bool
    partial: bool
    prerequisites: list[Prerequisite]
    changes: list[Change]
    side_effects: list[SideEffect]
    verify: list[Change]
    sources: list[str]
    proof: Proof | None = None


class Finding(msgspec.Struct, frozen=True):
    """(`rule`, `about`) is stable between runs. `suppressed` says why it is accepted; empty for one that counts."""

    rule: str
    about: str
    severity: Literal["critical", "warning", "notice", "info"]
    suppressed: str
    title: str
    text: str
    values: dict[str, str]
    confidence: str
    situation: str
    nodes: list[str]
    services: list[str]
    vantages: list[str]
    targets: list[str]
    evidence: list[Place]
    example: Trace | None
    remedies: list[Remedy]


class Skipped(msgspec.Struct, frozen=True):
    """A rule that could not be decided."""

    rule: str
    missing: list[str]


class Notes(msgspec.Struct, frozen=True):
    """Lines that could not be taken as they stand: how many, by reason, by file."""

    total: int
    reasons: dict[str, dict[str, int]]


class Observed(msgspec.Struct, frozen=True):
    """A cell of which conntrack says something. `entries` decide it; `differs`, `predicted`, `observed` belong to a
    contradiction, whose lines are quoted."""

    source: str
    target: str
    status: Literal["confirmed", "contradicted"]
    entries: int
    differs: Literal["", "outcome", "server", "source"]
    predicted: str
    observed: str
    evidence: list[Place]


class Sign(msgspec.Struct, frozen=True):
    """Something IPVS' own tables show about a real server; `count` is connections or templates."""

    kind: Literal["half-open", "syn-recv", "stale-template"]
    node: str
    server: str
    real_server: str
    count: int
    evidence: list[Place]


class Observations(msgspec.Struct, frozen=True):
    """What conntrack of `nodes` says of the cells. `agreement` is confirmed / (confirmed + contradicted), null when nothing
    was seen; `cells` lists those that are not `not_seen`; `not_compared` were left out because there were too many."""

    nodes: list[str]
    confirmed: int
    contradicted: int
    not_seen: int
    not_compared: int
    agreement: float | None
    cells: list[Observed]
    signs: list[Sign]


class Incident(msgspec.Struct, frozen=True):
    """One cause and whose it is. `findings` are (rule, about); `decisive` are the lines that settle it."""

    kind: str
    about: str
    owner: Literal["cluster", "kube-proxy", "load-balancer", "application", "nodes", "nobody", "open"]
    severity: Literal["critical", "warning", "notice", "info"]
    statement: str
    findings: list[list[str]]
    nodes: list[str]
    services: list[str]
    cells: int
    decisive: list[Place]


class Symptom(msgspec.Struct, frozen=True):
    """A reported connection against what the walk says. `finding` is (rule, about) or empty."""

    text: str
    source: str
    target: str
    reported: str
    outcome: str
    mechanism: str
    agreement: Literal["agrees", "disagrees", "open", "not-said"]
    finding: list[str]


class Statement(msgspec.Struct, frozen=True):
    """How a statement of an intent file stands; `cells` are the connections that do not hold."""

    name: str
    must: str
    standing: Literal["holds", "violated", "open"]
    total: int
    cells: list[list[str]]


class Report(msgspec.Struct, frozen=True, rename={"schema_": "schema"}):
    """The whole report."""

    schema_: Literal["ipvscope-report/1"]
    language: str
    tool: Tool
    input: Input
    summary: Summary
    findings: list[Finding]
    skipped: list[Skipped]
    matrix: Matrix
    regimes: dict[str, dict[str, Fact]]
    captures: list[Capture]
    notes: Notes
    observations: Observations | None = None
    incidents: list[Incident] = []
    symptoms: list[Symptom] = []
    intent: list[Statement] = []
