"""Members of kube-proxy's ipsets that are missing or that no Service asks for (F16).

A virtual server without its set entries is not marked for masquerade, or refused by KUBE-IPVS-FILTER; an entry without a
virtual server lets packets through to whatever listens on the node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analyzer.evidence import Evidence
from analyzer.findings.captured_members import Members
from analyzer.findings.drift_model import Drift
from analyzer.kubeproxy import Expected, expected_on, families, set_name
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import evidence_of, records, text

# Sets that older releases do not have: that one is absent says something about the version only.
_YOUNG = ("KUBE-IPVS-IPS", "KUBE-HEALTH-CHECK-NODE-PORT")


def set_drift(snapshot: Snapshot, node: str, four: Expected) -> Iterator[Drift]:
    """Compare the members of all sets of the node, IPv4 (whose expected state is `four`) and IPv6."""
    own = snapshot.by_node.get(node, {})
    members = Members(own)
    places: dict[str, Evidence] = {}
    for row in records(own["ipsets"]) if "ipsets" in own else []:
        places.setdefault(text(row["set"]), evidence_of(row, node))
    for family in families(snapshot, node):
        state = four if family == 4 else expected_on(snapshot, node, family=family)
        young = {set_name(name, family) for name in _YOUNG}
        for name, (kind, wanted) in state.sets.items():
            absent = name not in places and name not in members
            if not (absent and name in young) and not members.are(name, kind, wanted):
                yield from _members(node, state, name, members.of(name, node), places)


def _members(
    node: str, state: Expected, name: str, held: Mapping[str, Evidence], places: Mapping[str, Evidence]
) -> Iterator[Drift]:
    """One set, member by member."""
    members = state.sets[name][1]
    for member in members:
        if member.lower() not in held:
            service, objects = state.asked.get(name, {}).get(member, ("", ()))
            here = (places[name],) if name in places else ()
            yield Drift("set-member-missing", node, service, name, f"{name} {member}", (*here, *objects[:2]))
    wanted = {member.lower() for member in members}
    extra = [member for member in held if member not in wanted and not _open(state, name, member)]
    owners = {one.address: one.service for one in state.servers.values()} if extra else {}
    for member in extra:
        service = owners.get(member.partition(",")[0], "")
        yield Drift("set-member-extra", node, service, name, f"{name} {member}", (held[member],))


def _open(state: Expected, name: str, member: str) -> bool:
    """Members whose being there hangs on something unknown."""
    if "SOURCE-IP" in name:
        return "M21 address of the node" in state.undecided
    return "SOURCE-CI" in name and member.endswith("/0")
