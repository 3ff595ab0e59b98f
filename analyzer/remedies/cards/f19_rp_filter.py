"""F19: reverse-path filtering off where answers leave by another interface.

**Helps** when `rp_filter` 1 drops packets on a node with several interfaces. The kernel uses the larger of `conf.all` and
`conf.<interface>`, so both are set. **Does not help** when the other way is itself the fault (a wrong route).
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import command, lines, listed
from analyzer.snapshot.objects import records
from analyzer.whatif.edits import Sysctl


def _keys(case: Case) -> list[tuple[str, str]]:
    """(node, key) of the settings that are 1 on the finding's node and interface."""
    node, _, interface = case.finding.about.rpartition(":")
    frame = case.snapshot["sysctls"]
    wanted = ["net.ipv4.conf.all.rp_filter", f"net.ipv4.conf.{interface.replace('.', '/')}.rp_filter"]
    rows = frame[(frame["node"] == node) & frame["key"].isin(wanted) & (frame["value"] == "1")]
    return [(node, str(row["key"])) for row in records(rows)]


def build(case: Case) -> Remedy | None:
    """For the node and the interface the finding names."""
    found = _keys(case)
    if not found:
        return None
    node = found[0][0]
    keys = [key for _, key in found]
    return Remedy(
        "F19", {"nodes": listed([node]), "settings": listed(keys)},
        (
            lines(*(command("sysctl", "-w", f"{key}=0") for key in keys), title="change.set-sysctl"),
            lines(*(f"echo {command(f'{key} = 0')} >> /etc/sysctl.d/90-rp-filter.conf" for key in keys), title="change.keep-sysctl"),
        ),
        (), tuple(Effects().add("spoofing-not-filtered").slugs), (lines(command("sysctl", *keys), title="change.look-at-node"),),
    )  # fmt: skip


def plan(case: Case) -> Plan:
    return Plan(tuple(Sysctl(key, "0", node) for node, key in _keys(case)))


CARDS = {"F19": build}
PLANS = {"F19": plan}
