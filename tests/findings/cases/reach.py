"""What recorded clusters show by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

RECORDED = {
    "DRIFT-001": "1.22.0-flannel-fault",
    "DRIFT-003": "1.22.0-flannel-fault",
    "DRIFT-005": "1.22.0-flannel-fault",
    "REACH-001": "1.22.0-flannel-cluster",
    "REACH-002": "1.22.0-flannel-listener",
    "REACH-003": "1.22.0-flannel-local",
    "REACH-004": "1.28.3-terway-local",
    "REACH-005": "1.28.3-flannel-local",
    "REACH-006": "1.28.3-terway-local",
    "REACH-007": "1.22.0-flannel-local",
    "REACH-008": "1.28.3-terway-local",
    "REACH-009": "1.28.3-flannel-local",
    "REACH-010": "1.22.0-flannel-local",
    "REACH-011": "1.22.0-flannel-hostname",
    "REACH-012": "1.22.0-flannel-cluster",
    "SVC-001": "1.22.0-flannel-noep",
}
CHANGES: Mapping[str, Callable[[Path], None]] = {}
