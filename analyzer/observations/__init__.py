"""What conntrack and IPVS say did happen, joined with what the walk says should happen."""

from __future__ import annotations

from analyzer.observations.comparison import observe
from analyzer.observations.model import Observations, Seen, Sign

__all__ = ["Observations", "Seen", "Sign", "observe"]
