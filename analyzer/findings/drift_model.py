"""One difference between what a node holds and what kube-proxy should have programmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analyzer.evidence import Evidence

Kind = Literal[
    "real-server-stale", "real-server-missing", "real-server-weight-0", "real-server-draining", "virtual-server-missing",
    "virtual-server-extra", "flags-differ", "vip-missing", "vip-left-over", "set-member-missing", "set-member-extra",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference on one node.

    `server` is ``tcp/10.0.0.1:80`` (empty for a VIP), or the ipset. `detail` is the real server, address or member; for flags
    both readings. `expected` and `captured` are what each side says where both say something. A draining real server
    (weight 0, no longer an endpoint) is benign: kube-proxy removes it when its connections end. `skew`: the captures it
    compares are more than a minute apart, so it may be no more than a change in between.
    """

    kind: Kind
    node: str
    service: str
    server: str
    detail: str
    evidence: tuple[Evidence, ...] = ()
    expected: str = ""
    captured: str = ""
    skew: bool = False

    @property
    def benign(self) -> bool:
        return self.kind == "real-server-draining"
