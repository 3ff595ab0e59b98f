"""What rules are written with: the version, the family's set names, the mark, which sets hold something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.kubeproxy.model import Version

Rule = tuple[str, str, str]
Sets = Mapping[str, tuple[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Fixes:
    """What KUBE-IPVS-FILTER returns for besides the first three sets: M22b, M22c."""

    health_check: bool
    external_local: bool


@dataclass(frozen=True)
class Frame:
    """What every rule is written with."""

    version: Version
    family: int
    mark: str
    filled: frozenset[str]

    def match(self, name: str, directions: str) -> str:
        return f"-m set --match-set {set_name(name, self.family)} {directions}"


def set_name(name: str, family: int) -> str:
    """M30: sets of the IPv6 proxier are KUBE-6-..., cut at ipset's 31 characters.

    >>> set_name("KUBE-LOAD-BALANCER-SOURCE-CIDR", 6)
    'KUBE-6-LOAD-BALANCER-SOURCE-CID'
    """
    return f"KUBE-6-{name.removeprefix('KUBE-')}"[:31] if family == 6 else name
