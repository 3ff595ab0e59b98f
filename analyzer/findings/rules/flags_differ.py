"""DRIFT-008: a virtual server is there with another scheduler, other scheduler flags or another persistence."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.findings.rules.drift_rules import finding_of, grouped


@rule("DRIFT-008", needs=("ipvsadm", "services", "endpoints"), severities=("warning", "notice"), fixes=("F16",))
def flags_differ(context: Context) -> Iterator[Finding]:
    """Without the persistence a session's next connection goes elsewhere; another scheduler only spreads differently."""
    for about, group in grouped(context, "flags-differ"):
        sticky = any(("persistent" in one.expected) != ("persistent" in one.captured) for one in group)
        yield finding_of(context, "DRIFT-008", about, group, "warning" if sticky else "notice", ("F16",))
