"""F16: let kube-proxy program the node anew, and remove what it no longer owns. F16b: clean up after the IPVS mode.

**Helps** where the node does not hold what the objects ask for: a missing virtual server, an old real server, a binding
that nobody publishes any more. **Does not help** when kube-proxy would do the same again; read its log first.
"""

from __future__ import annotations

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.cluster import version
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Change, Prerequisite, Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import command, ipvs_server, kubectl, lines, listed
from analyzer.snapshot.objects import columns
from analyzer.whatif.edits import Resync

MANY = 20
"""From here on the whole DaemonSet is restarted, which does it node by node."""


def build(case: Case) -> Remedy | None:
    """For the nodes of the finding; cleaning only for addresses that no object asks for."""
    nodes = case.nodes
    if not nodes:
        return None
    if len(_other_mode(case)) == len(nodes):
        return clean(case)
    pods = case.cluster.kube_proxy_pods
    found = {node: pods[node] for node in nodes if node in pods}
    unknown = [node for node in nodes if node not in pods]
    finders = [
        kubectl("kube-system", "get", "pods", f"--field-selector=spec.nodeName={node}", "--output=name")
        for node in unknown
    ]
    changes: list[Change] = []
    if found:
        first = list(found.values())[:MANY]
        logs = (kubectl(namespace, "logs", "--tail=200", f"pod/{name}") for namespace, name in first)
        changes.append(lines(*logs, title="change.read-log"))
        restarts = [kubectl(namespace, "delete", f"pod/{name}") for namespace, name in found.values()]
        if len(restarts) > MANY:
            owners = dict.fromkeys(case.cluster.kube_proxy_owners[node] for node in found)
            restarts = [kubectl(namespace, "rollout", "restart", owner) for namespace, owner in owners]
        changes.append(lines(*restarts, title="change.restart"))
    if finders:
        changes.append(lines(*finders, title="change.find-proxy-pod"))
    left, cleaning = _left_over(case)
    effects = Effects().add("brief-sync-gap")
    if cleaning:
        changes.append(lines(*cleaning, title="change.clean-left-over"))
        effects.add("old-connections-cut")
    state = Prerequisite(
        "kube-proxy-pod-known", "met" if not unknown else "unknown", {"nodes": listed(unknown or nodes)}
    )
    looks = [command("ipvsadm", "-Ln", *ipvs_server(t.address, t.port, t.protocol)) for t in case.targets[:6]]
    return Remedy(
        "F16", {"nodes": listed(nodes), "left_over": listed(left)}, tuple(changes), (state,), tuple(effects.slugs),
        (lines("ip addr show dev kube-ipvs0", *looks, title="change.look-at-node"),), (sources.WHY_BOUND,),
    )  # fmt: skip


def clean(case: Case) -> Remedy | None:
    """F16b: nodes in another mode that still have kube-ipvs0; kube-proxy does not clean up after that mode by itself."""
    nodes = [node for node in _other_mode(case) if case.cluster.bound((node,))]
    if not nodes:
        return None
    left = list(case.cluster.bound(nodes))
    return Remedy(
        "F16b", {"nodes": listed(nodes), "left_over": listed(left)},
        (lines("kube-proxy --cleanup", "ipvsadm --clear", "ip link delete dev kube-ipvs0", title="change.clean-node"),), (),
        ("clears-all-ipvs",), (lines("ip link show dev kube-ipvs0", "ipvsadm -Ln", title="change.look-at-node"),),
        (sources.IPVS_TO_NFTABLES,),
    )  # fmt: skip


def _other_mode(case: Case) -> list[str]:
    modes = {node: case.snapshot.regime(node).value("proxy_mode") for node in case.nodes}
    return [node for node, mode in modes.items() if mode not in ("ipvs", "unknown")]


def _left_over(case: Case) -> tuple[list[str], list[str]]:
    """Addresses on kube-ipvs0 that no Service owns, of those the finding is about, and the commands that remove them.

    Without the Services of the cluster nothing is known to be left over. An excluded range (`ipvs.excludeCIDRs`) is
    somebody else's, but whoever owns it does not use kube-ipvs0.
    """
    if "services" not in case.snapshot.captured.get("", {}):
        return [], []
    about = set(case.addresses)
    nodes = set(case.nodes)
    found = {
        address: length
        for address, length in case.cluster.bound(nodes).items()
        if (not about or address in about) and not _owned(case, address)
    }
    commands: dict[str, None] = {}
    for node in (one for one in case.snapshot.by_node if one in nodes and found):
        servers = case.snapshot.by_node[node].get("virtual_servers")
        for address, port, protocol in columns(servers, "address", "port", "protocol") if servers is not None else ():
            if address in found and port is not None:
                commands[command("ipvsadm", "-D", *ipvs_server(address, port, protocol or ""))] = None
    for address, length in found.items():
        commands[command("ip", "addr", "del", f"{address}/{length}", "dev", "kube-ipvs0")] = None
    return list(found), list(commands)


def _owned(case: Case, address: str) -> bool:
    """Whether some Service asks for the address. ``ipMode: Proxy`` counts from kube-proxy 1.30 on; before, it is bound."""
    kinds = {kind for _, kind in case.world.service_addresses.get(address, ())}
    if not kinds:
        return False
    honoured = all(version(value) >= (1, 30) for value in case.cluster.proxy_versions.values())
    return bool(kinds - {"load-balancer"}) or bool(case.binders(address)) or not honoured


def plan(case: Case) -> Plan:
    return Plan(tuple(Resync(node) for node in case.nodes))


CARDS = {"F16": build, "F16b": clean}
PLANS = {"F16": plan, "F16b": plan}
