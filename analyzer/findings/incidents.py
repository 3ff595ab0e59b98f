"""Root causes: one incident for one cause, however many findings, nodes and Services show it, and whose it is.

Findings say what is wrong where; an incident says why, once. Findings belong together when they have the same kind of cause and
the same subject: the address that nodes bind, the Service whose policy is Local, the nodes whose kube-proxy does not follow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from analyzer.evidence import Evidence
from analyzer.findings.model import SEVERITIES, Finding, Severity

Owner = Literal["cluster", "kube-proxy", "load-balancer", "application", "nodes", "nobody", "open"]
"""Who can end it: the cluster's configuration (Services, configuration of
kube-proxy), kube-proxy where it runs, the load balancer's, the application, the nodes' own settings;
nobody is at fault for a limit by design; open where the bundle does not tell."""
Kind = Literal[
    "bound-address", "local-policy", "loop-back", "node-state", "no-endpoint", "listener", "node-setting", "own-address", "other"
]  # fmt: skip
DECISIVE = 2
CAUSES: Mapping[str, tuple[Kind, Owner]] = {
    **dict.fromkeys(("REACH-001", "REACH-002", "LB-002", "LB-003", "LB-004"), ("bound-address", "cluster")),
    **dict.fromkeys(
        ("REACH-003", "REACH-004", "REACH-005", "REACH-006", "REACH-007", "REACH-008", "REACH-009", "REACH-010", "SVC-002"),
        ("local-policy", "cluster"),
    ),
    "REACH-011": ("loop-back", "nobody"),
    **dict.fromkeys((f"DRIFT-00{number}" for number in range(1, 10)), ("node-state", "kube-proxy")),
    "MODE-004": ("node-state", "kube-proxy"),
    "SVC-001": ("no-endpoint", "application"),
    **dict.fromkeys(("LB-001", "LB-005", "LB-006", "LB-009", "LB-010"), ("listener", "load-balancer")),
    **dict.fromkeys(
        ("SYS-001", "SYS-002", "SYS-003", "SYS-004", "SYS-005", "REACH-014", "NODE-003", "MODE-005"), ("node-setting", "nodes")
    ),
    **dict.fromkeys(("SVC-004", "SVC-008", "REACH-018"), ("other", "cluster")),
    **dict.fromkeys(("REACH-017", "REACH-019"), ("other", "kube-proxy")),
    **dict.fromkeys(("NODE-001", "NODE-002", "SVC-006"), ("own-address", "cluster")),
}  # fmt: skip
"""Rule -> what kind of cause it shows, and whose that is. Of all others the cause is the finding itself."""
BY_ADDRESS = frozenset(["bound-address", "loop-back", "listener"])
NO_PLAINTIFF = frozenset(["INPUT-001", "INPUT-002", "MODE-001", "MODE-002", "MODE-003"])
"""Findings that explain no failure."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause. `findings` are (rule, about), the most severe first; `decisive` are the lines that settle it.

    `cells` counts the failing connections that its findings explain, each once.
    """

    kind: Kind
    about: str
    owner: Owner
    severity: Severity
    findings: tuple[tuple[str, str], ...]
    nodes: tuple[str, ...]
    services: tuple[str, ...]
    cells: int
    decisive: tuple[Evidence, ...]
    lead: Finding
    """The finding that shows it best."""

    @property
    def sort(self) -> tuple[Kind, str]:
        """Causes of one sort need the same fix, each on its own subject."""
        return self.kind, self.lead.rule


def incidents(findings: Iterable[Finding]) -> tuple[Incident, ...]:
    """The causes behind some findings, most severe and widest first; accepted findings have none.

    Of equal severity, the widest one of each sort comes before all that are like one of these.
    """
    groups: dict[tuple[Kind, Owner, str], list[Finding]] = defaultdict(list)
    for one in findings:
        if one.suppressed or one.rule in NO_PLAINTIFF or one.severity == "info":
            continue
        kind, owner = CAUSES.get(one.rule, ("other", "open"))
        groups[(kind, owner, _subject(kind, one))].append(one)
    found = [_incident(kind, owner, about, members) for (kind, owner, about), members in groups.items()]
    found.sort(key=lambda one: (SEVERITIES.index(one.severity), -one.cells, one.kind, one.about))
    first = {(one.severity, one.sort): one.about for one in reversed(found)}
    return tuple(
        sorted(found, key=lambda one: (SEVERITIES.index(one.severity), first[(one.severity, one.sort)] != one.about))
    )


def _subject(kind: Kind, finding: Finding) -> str:
    if kind in BY_ADDRESS:
        target = finding.about if ":" in finding.about or not finding.targets else finding.targets[0]
        return target.partition("/")[0].rpartition(":")[0].strip("[]") or finding.about
    if kind in ("node-state", "node-setting"):
        return "" if kind == "node-state" else finding.rule
    return finding.services[0] if finding.services and kind != "other" else f"{finding.rule} {finding.about}"


def _incident(kind: Kind, owner: Owner, about: str, members: list[Finding]) -> Incident:
    members = sorted(members, key=lambda one: (SEVERITIES.index(one.severity), -len(one.cells)))
    cells = {cell for one in members for cell in one.cells}
    return Incident(
        kind=kind,
        about=about or ", ".join(dict.fromkeys(node for one in members for node in one.nodes)),
        owner=owner,
        severity=members[0].severity,
        findings=tuple((one.rule, one.about) for one in members),
        nodes=tuple(dict.fromkeys(node for one in members for node in one.nodes)),
        services=tuple(dict.fromkeys(name for one in members for name in one.services)),
        cells=len(cells),
        decisive=_decisive(members),
        lead=members[0],
    )


def _decisive(members: list[Finding]) -> tuple[Evidence, ...]:
    """One line of a node's own state and one of the objects (or the cloud): what is, and what was asked for."""
    every = [one for finding in members for one in finding.evidence if one.text]
    state = next((one for one in every if one.node or one.file.startswith("nodes/")), None)
    asked = next((one for one in every if one is not state and not one.file.startswith("nodes/")), None)
    chosen = [one for one in (state, asked) if one is not None]
    chosen += [one for one in every if one not in chosen][: DECISIVE - len(chosen)]
    return tuple(chosen[:DECISIVE])
