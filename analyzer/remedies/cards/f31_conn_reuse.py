"""F31: net.ipv4.vs.conn_reuse_mode as the kernel at hand needs it.

**Helps** with kernels before 5.9: 0 ends the one-second delays of busy clients. With 5.9 and newer 1 is right: packets of a reused port are
scheduled anew, so a drained real server is let go. kube-proxy sets 0 on kernels from 4.1 to 5.8.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import command, lines, listed
from analyzer.snapshot.regime import minor_version
from analyzer.whatif.edits import Sysctl

KEY = "net.ipv4.vs.conn_reuse_mode"
FIXED = (5, 9)
"""The kernel from which mode 1 has no delay (torvalds/linux f0a5e4d7a594)."""


def _wanted(case: Case) -> dict[str, str]:
    found = {}
    for node in case.nodes:
        kernel = minor_version(case.snapshot.regime(node).value("kernel"))
        if kernel is not None:
            found[node] = "1" if kernel >= FIXED else "0"
    return found


def build(case: Case) -> Remedy | None:
    """One value for all the finding's nodes, or none where their kernels differ."""
    wanted = _wanted(case)
    if len(set(wanted.values())) != 1:
        return None
    value = next(iter(wanted.values()))
    return Remedy(
        "F31", {"nodes": listed(wanted), "value": value},
        (
            lines(command("sysctl", "-w", f"{KEY}={value}"), title="change.set-sysctl"),
            lines(f"echo '{KEY} = {value}' > /etc/sysctl.d/90-ipvs-reuse.conf", title="change.keep-sysctl"),
        ),
        (), tuple(Effects().add("reuse-trade-off").slugs), (lines(command("sysctl", KEY), title="change.look-at-node"),),
    )  # fmt: skip


def plan(case: Case) -> Plan:
    return Plan(tuple(Sysctl(KEY, value, node) for node, value in _wanted(case).items()))


CARDS = {"F31": build}
PLANS = {"F31": plan}
