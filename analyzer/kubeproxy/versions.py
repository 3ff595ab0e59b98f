"""What depends on the release: minor versions, patches that were backported, feature gates.

Every question that the node's version does not answer is noted by the row of the version matrix
(docs/kube-proxy-versions.md) it belongs to; an unknown version is read as current.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from analyzer.kubeproxy.model import ProxyNode, Version

CURRENT: Version = (1, 33)
"""The newest release that was read."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A feature gate: from which minor it exists, is on by default, and cannot be turned off any more."""

    name: str
    exists: int
    default_on: int
    locked: int = 99


# pkg/features/kube_features.go of each release.
INTERNAL_POLICY = Gate("ServiceInternalTrafficPolicy", 21, 22, 26)
TERMINATING = Gate("ProxyTerminatingEndpoints", 22, 26, 28)
HINTS = Gate("TopologyAwareHints", 21, 24)
IP_MODE = Gate("LoadBalancerIPMode", 29, 30, 32)


class Versions:
    """Answers for one node; `undecided` collects the rows that stay open."""

    def __init__(self, node: ProxyNode) -> None:
        self.node = node
        self.undecided: list[str] = list(node.open)

    @property
    def version(self) -> Version:
        return self.node.version or CURRENT

    def note(self, about: str) -> None:
        if about not in self.undecided:
            self.undecided.append(about)

    def since(self, minor: int, about: str) -> bool:
        """Whether the node's kube-proxy is at least 1.`minor`."""
        if self.node.version is None:
            self.note(about)
        return self.version >= (1, minor)

    def fixed(
        self, minor: int, backports: Mapping[int, tuple[int, int | None]], about: str, shown: bool | None
    ) -> bool:
        """Whether a fix of 1.`minor`.0 is in; `backports` has (last patch without it, first patch with it) of older minors.

        Where the patch leaves it open, what the node's own tables show decides; else a later patch is read as fixed.
        """
        older = backports.get(self.version[1])
        if self.node.version is None or self.version >= (1, minor) or older is None:
            return self.since(minor, about)
        without, with_it = older
        patch = self.node.patch
        if patch is not None and (patch <= without or (with_it is not None and patch >= with_it)):
            return patch > without
        if shown is not None:
            return shown
        self.note(about)
        return patch is not None

    def gate(self, gate: Gate, about: str) -> bool:
        """Whether a feature gate is on: as configured where the release lets one, else its default."""
        configured = self.node.feature_gates.get(gate.name)
        minor = self.version[1]
        if self.node.version is None:
            self.note(about)
        if minor < gate.exists:
            return False
        if minor >= gate.locked or configured is None:
            return minor >= gate.default_on
        return configured


@lru_cache(maxsize=100_000)
def family_of(address: str) -> int:
    """4 or 6; 0 for what is no address.

    >>> family_of("192.0.2.1"), family_of("2001:db8::1"), family_of("None")
    (4, 6, 0)
    """
    try:
        return ip_address(address).version
    except ValueError:
        return 0
