"""KubeSkoop ``collector.json``: one JSON file per node with the state of every network namespace on it.

Its top level is exactly ``p`` and ``n`` (``pods`` and ``netns`` before May 2023). It carries no node name: the file's name is taken, or the
Node object whose address the node holds. Source: August 2025.
"""

from __future__ import annotations

import re

from analyzer.bundle.places import Layout, Piece, Root, Rule

_START = re.compile(rb'\s*\{\s*"(?:p|n|pods|netns)"\s*:\s*[\[n]')
_OTHER = re.compile(rb'"(?:n|netns)"\s*:\s*\[\s*\{')
_NAMES = re.compile(r"(?:(?:kubeskoop|skoop)[-_.])?(?:collector|dump|result)?[-_.]?(?P<node>.*?)\.json")


def is_dump(piece: Piece) -> bool:
    """Whether the file begins as a dump does and holds the list of namespaces."""
    if not piece.path.endswith(".json") or not _START.match(piece.head(64)):
        return False
    return _OTHER.search(piece.read()) is not None


def _node(root: Root) -> str:
    match = _NAMES.fullmatch(root.name)
    return match["node"] if match and re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", match["node"]) else ""


LAYOUT = Layout(
    "kubeskoop",
    title="KubeSkoop collector.json",
    single=is_dump,
    node=_node,
    rules=(Rule("*", command="kubeskoop"),),
    lacks=("conntrack", "objects", "ip6tables", "kube-proxy-log", "uname"),
)
