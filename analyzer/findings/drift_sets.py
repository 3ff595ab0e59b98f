"""Members of kube-proxy's ipsets that are missing or that no Service asks for (F16).

A virtual server without its set entries is not marked for masquerade, or refused by KUBE-IPVS-FILTER; an entry without a
virtual server lets packets through to whatever listens on the node.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.evidence import Evidence
from analyzer.findings.drift_model import Drift
from analyzer.kubeproxy import Expected, expected_on, families, set_name
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import evidence_of, number, records, text

# Sets that older releases do not have: that one is absent says something about the version only.
_YOUNG = ("KUBE-IPVS-IPS", "KUBE-HEALTH-CHECK-NODE-PORT")


def set_drift(snapshot: Snapshot, node: str, four: Expected) -> Iterator[Drift]:
    """Compare the members of all sets of the node, IPv4 (whose expected state is `four`) and IPv6."""
    captured, places = _captured(snapshot, node)
    for family in families(snapshot, node):
        state = four if family == 4 else expected_on(snapshot, node, family=family)
        owners = {one.address: one.service for one in state.servers.values()}
        young = {set_name(name, family) for name in _YOUNG}
        for name, (_, members) in state.sets.items():
            if name not in captured and name in young:
                continue
            held = captured.get(name, {})
            for member in members:
                if member.lower() not in held:
                    service, objects = state.asked.get(name, {}).get(member, ("", ()))
                    here = (places[name],) if name in places else ()
                    yield Drift("set-member-missing", node, service, name, f"{name} {member}", (*here, *objects[:2]))
            wanted = {member.lower() for member in members}
            for member, where in held.items():
                if member not in wanted and not _open(state, name, member):
                    service = owners.get(member.partition(",")[0], "")
                    yield Drift("set-member-extra", node, service, name, f"{name} {member}", (where,))


def _open(state: Expected, name: str, member: str) -> bool:
    """Members whose being there hangs on something unknown."""
    if "SOURCE-IP" in name:
        return "M21 address of the node" in state.undecided
    return "SOURCE-CI" in name and member.endswith("/0")


def _captured(snapshot: Snapshot, node: str) -> tuple[dict[str, dict[str, Evidence]], dict[str, Evidence]]:
    """set -> member in lower case (ipset has printed TCP and tcp) -> its line; set -> its own line."""
    own = snapshot.by_node.get(node, {})
    places: dict[str, Evidence] = {}
    for row in records(own["ipsets"]) if "ipsets" in own else []:
        places.setdefault(text(row["set"]), evidence_of(row, node))
    found: dict[str, dict[str, Evidence]] = {name: {} for name in places}
    for row in records(own["ipset_members"]) if "ipset_members" in own else []:
        members = found.setdefault(text(row["set"]), {})
        first, last = number(row["port"]), number(row["port_end"])
        ports = not text(row["address"]) and first is not None and last is not None and first <= last <= 65535
        names = map(str, range(first or 0, (last or 0) + 1)) if ports else (text(row["member"]).lower(),)
        for name in names:
            members.setdefault(name, evidence_of(row, node))
    return found, places
