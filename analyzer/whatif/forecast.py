"""What an upgrade of kube-proxy changes whatever the Services are; the cells it changes come out of the walk.

Sources: the version matrix in docs/kube-proxy-versions.md; kubernetes#97081 (1.24), #108460 and #119613 (1.26), KEP-1860 (1.30),
KEP-5495 and kubernetes#134539 (1.35: IPVS mode deprecated; gate KubeProxyIPVS on by default, planned off in 1.40, gone in 1.43).
"""

from __future__ import annotations

from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.regime import minor_version
from analyzer.whatif.edits import Edit, Version

CROSSINGS: tuple[tuple[int, str], ...] = (
    (22, "no-loopback-node-ports"),
    (24, "local-lists-all"),
    (26, "unserved-ports-rejected"),
    (26, "ping-stops"),
    (30, "ip-mode-honoured"),
    (35, "ipvs-deprecated"),
    (40, "ipvs-off"),
)
"""(first minor release with it, slug of ``forecast.<slug>``); walked downwards it is undone."""


def forecast(snapshot: Snapshot, edits: tuple[Edit, ...]) -> tuple[tuple[str, str], ...]:
    """(slug, ``up`` or ``down``) of each change of behaviour between the captured versions and the last one applied.

    Only what concerns a node that runs IPVS mode before the change; nothing where its version is not known.
    """
    wanted = [edit for edit in edits if isinstance(edit, Version)]
    if not wanted:
        return ()
    target = minor_version(wanted[-1].version)
    have = [
        version
        for node in snapshot.node_names
        if wanted[-1].node in ("", node)
        and snapshot.regime(node).value("proxy_mode") in ("ipvs", "unknown")
        and (version := minor_version(snapshot.regime(node).value("kube_proxy_version"))) is not None
    ]
    if target is None or not have:
        return ()
    low, high = min(have)[1], max(have)[1]
    up = [(slug, "up") for minor, slug in CROSSINGS if low < minor <= target[1]]
    down = [(slug, "down") for minor, slug in CROSSINGS if target[1] < minor <= high]
    return (*up, *down)
