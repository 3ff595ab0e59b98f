"""From a snapshot to the walker's world: node states (captured, or expected where a capture is missing), pods, balancers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any

from analyzer.evidence import Evidence
from analyzer.forwarding.addresses import family_of, is_loopback
from analyzer.forwarding.balancers import abnormal_backends, load_balancers
from analyzer.forwarding.captured_servers import REAL_COLUMNS, VIRTUAL_COLUMNS, CapturedServers
from analyzer.forwarding.nft_state import add_nft_tables
from analyzer.forwarding.standin import stand_in
from analyzer.forwarding.state import (
    Chain,
    ChainRule,
    IpSet,
    Listener,
    Member,
    NodeState,
    PolicyRule,
    Route,
    index_listeners,
)
from analyzer.forwarding.vips import COLUMNS as ADDRESS_COLUMNS
from analyzer.forwarding.vips import held
from analyzer.forwarding.world import Endpoint, Pod, World
from analyzer.parsers.iptables_rule import parse_rule
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import columns, evidence_of, flag, mapping, number, parts, records, text
from analyzer.snapshot.pick import arrays

_HELD = ("node", "interface", "address")
OVERLAY = ("flannel", "vxlan", "tunl", "cilium", "wg", "genev", "docker", "nodelocaldns", "kube-ipvs0", "lo")


def build_world(snapshot: Snapshot) -> World:
    """Everything the walker needs, built once per snapshot."""
    objects = snapshot.objects
    known = node_addresses(snapshot)
    pods = _pods(snapshot)
    endpoints: dict[tuple[str, str, int], list[Endpoint]] = defaultdict(list)
    addresses: dict[str, list[tuple[str, str]]] = defaultdict(list)
    served: dict[str, set[tuple[str, int]]] = defaultdict(set)
    node_ports: set[tuple[str, int]] = set()
    for service in objects.services:
        for one in service.endpoints:
            if one.port is not None:
                endpoints[(one.protocol, one.address, one.port)].append(
                    Endpoint(
                        service.id,
                        one.address,
                        one.port,
                        one.protocol,
                        one.node,
                        one.ready,
                        one.serving,
                        one.terminating,
                        one.pod,
                        one.evidence,
                    )  # fmt: skip
                )
        vips = [(ip, "cluster-ip") for ip in service.cluster_ips if family_of(ip)]
        vips += [(ip, "external-ip") for ip in service.external_ips]
        vips += [(ip, "load-balancer") for ip in service.published]
        for ip, kind in vips:
            addresses[ip].append((service.id, kind))
            served[ip].update((port.protocol, port.port) for port in service.ports)
        node_ports.update((port.protocol, port.node_port) for port in service.ports if port.node_port)
    pod_networks = {
        text(row["name"]): parts(row["pod_cidrs"]) for row in records(snapshot["nodes"]) if text(row["pod_cidrs"])
    }
    world = World(
        snapshot=snapshot,
        build_state=partial(build_state, snapshot),
        node_names=snapshot.node_names,
        pods=pods,
        endpoints={key: tuple(value) for key, value in endpoints.items()},
        load_balancers={},
        node_addresses=known,
        node_ports=frozenset(node_ports),
        service_addresses={ip: tuple(uses) for ip, uses in addresses.items()},
        service_ports={ip: frozenset(value) for ip, value in served.items()},
        pod_networks=pod_networks,
        pods_known="pods" in snapshot.captured.get("", {}),
        endpoints_known="endpoints" in snapshot.captured.get("", {}) and "services" in snapshot.captured.get("", {}),
        answered=_answered(snapshot, pods),
        dialled=_dialled(snapshot, pods),
        entries=_entries(snapshot, pods, known),
    )
    world.abnormal = abnormal_backends(snapshot, known)
    world.load_balancers = load_balancers(snapshot, world.node_by_address, known)
    return world


def _answered(snapshot: Snapshot, pods: Mapping[str, Pod]) -> Mapping[tuple[str, str, int], Evidence]:
    """(protocol, address, port) of sockets that conntrack saw answering: assured flows prove that somebody listens."""
    own = {ip for pod in pods.values() for ip in pod.ips}
    names = ("protocol", "reply_src", "reply_sport", "file", "line", "node")
    found: dict[tuple[str, str, int], Evidence] = {}
    for flows in snapshot.chunks("connections", *names, "assured"):
        hits = flows[flows["assured"].fillna(False).astype(bool) & flows["reply_src"].isin(own)]
        hits = hits.drop_duplicates(["protocol", "reply_src", "reply_sport"])
        for protocol, address, port, file, line, node in zip(*(hits[name] for name in names), strict=True):
            if number(port) is not None:
                found.setdefault(
                    (str(protocol), str(address), int(port)), Evidence(str(file), int(line), "", str(node))
                )
    return found


def _dialled(snapshot: Snapshot, pods: Mapping[str, Pod]) -> Mapping[str, int]:
    """Address of a pod -> how many different destinations conntrack saw it dial, each node's counted by itself."""
    own = {ip for pod in pods.values() for ip in pod.ips}
    found: Counter[str] = Counter()
    for flows in snapshot.chunks("connections", "node", "orig_src", "protocol", "orig_dst", "orig_dport"):
        hits = flows[flows["orig_src"].isin(own)]
        found.update(hits.drop_duplicates()["orig_src"].astype(str))
    return found


def _entries(
    snapshot: Snapshot, pods: Mapping[str, Pod], node_addresses: Mapping[str, tuple[str, ...]]
) -> Mapping[str, tuple[str, ...]]:
    """External IP -> the nodes at which connections of clients from elsewhere arrived, as conntrack recorded them."""
    external = {ip for service in snapshot.objects.services for ip in service.external_ips}
    if not external:
        return {}
    inside = {ip: pod.node for pod in pods.values() for ip in pod.ips}
    found: dict[str, set[str]] = defaultdict(set)
    for flows in snapshot.chunks("connections", "node", "orig_src", "orig_dst"):
        hits = flows[flows["orig_dst"].isin(external)].drop_duplicates(["node", "orig_src", "orig_dst"])
        for node, source, destination in zip(hits["node"], hits["orig_src"], hits["orig_dst"], strict=True):
            own = str(source) in node_addresses.get(str(node), ()) or inside.get(str(source)) == str(node)
            if not own and source != destination:
                found[str(destination)].add(str(node))
    return {address: tuple(sorted(nodes)) for address, nodes in found.items()}


def node_addresses(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Addresses by which the network reaches each node: the Node object's first, then captured ones of real interfaces.

    An address that several nodes hold (docker0's, a VIP of kube-ipvs0) names none of them.
    """
    listed: dict[str, list[str]] = {name: [] for name in snapshot.node_names}
    for row in records(snapshot["nodes"]):
        listed.setdefault(text(row["name"]), []).extend((*parts(row["internal_ips"]), *parts(row["external_ips"])))
    captured: dict[str, list[str]] = defaultdict(list)
    for frame in snapshot.chunks("addresses", *_HELD, "scope"):
        own = frame["interface"].notna() & (frame["interface"] != "kube-ipvs0") & frame["address"].notna()
        for node, _, address in columns(frame[own & ~frame["scope"].isin(["host", "link"])], *_HELD):
            if not is_loopback(address):
                captured[node].append(address)
    holders = _single_holders(snapshot, {address for addresses in captured.values() for address in addresses})
    for node, addresses in captured.items():
        listed.setdefault(node, []).extend(a for a in addresses if holders[a])
    return {node: tuple(dict.fromkeys(addresses)) for node, addresses in listed.items()}


def _single_holders(snapshot: Snapshot, asked: set[str]) -> dict[str, str]:
    """Address -> the node that holds it on some interface, empty for several."""
    holders: dict[str, str] = {}
    for frame in snapshot.chunks("addresses", *_HELD):
        for node, interface, address in columns(frame[frame["address"].isin(asked)], *_HELD):
            if interface is not None and holders.setdefault(address, node) != node:
                holders[address] = ""
    return holders


def _pods(snapshot: Snapshot) -> dict[str, Pod]:
    """Pods that have an address and are not finished, by ``namespace/name``."""
    pods: dict[str, Pod] = {}
    for row in records(snapshot["pods"]):
        addresses = parts(row["ips"])
        if text(row["phase"]) in ("Succeeded", "Failed"):
            continue
        node = text(row["node_name"])
        host = flag(row["host_network"], False)
        ports: set[tuple[str, int]] = set()
        for item in parts(row["ports"]):
            port, _, rest = item.partition("/")
            if port.isdigit():
                ports.add((rest.partition(":")[0].lower() or "tcp", int(port)))
        pods[f"{text(row['namespace'])}/{text(row['name'])}"] = Pod(
            text(row["namespace"]), text(row["name"]), node, addresses, host, frozenset(ports),
            None if str(row["ready"]) in ("<NA>", "None", "nan") else bool(row["ready"]),
            "host" if host else _data_path(snapshot, node, row), evidence_of(row),
        )  # fmt: skip
    return pods


def _data_path(snapshot: Snapshot, node: str, row: Mapping[str, Any]) -> str:
    if mapping(row["annotations"]).get("k8s.aliyun.com/pod-eni") == "true":
        return "exclusive-eni"
    return snapshot.regime(node).value("data_path")


# ---------------------------------------------------------------------- one node


def build_state(snapshot: Snapshot, node: str) -> NodeState:
    """The node's state: each input from its capture; kube-proxy's part and the CNI's from the objects where it is missing."""
    own = snapshot.by_node.get(node, {})
    state = NodeState(node)
    state.incomplete = frozenset(
        capture for capture, complete in snapshot.captured.get(node, {}).items() if not complete
    )

    def table(name: str) -> list[dict[str, Any]]:
        return records(own[name]) if name in own else []

    if snapshot.has(node, "ip-addr"):
        state.layers["ip-addr"] = "captured"
        listed = arrays(own, "addresses", ADDRESS_COLUMNS)
        if listed is not None:
            state.addresses, vips = held(node, listed)
            state.vips = vips if vips is not None else state.vips
        links = arrays(own, "interfaces", ("interface", "master"))
        pairs = zip(*(column.to_pylist() for column in links.values()), strict=True) if links is not None else ()
        state.masters = {interface or "": master for interface, master in pairs if master}
    if snapshot.has(node, "ip-route"):
        state.layers["ip-route"] = "captured"
        _routes(state, table("routes"))
    if snapshot.has(node, "ip-rule"):
        state.layers["ip-rule"] = "captured"
        _rules(state, table("rules"))
    if snapshot.has(node, "ipvsadm"):
        state.layers["ipvsadm"] = "captured"
        virtual = arrays(own, "virtual_servers", VIRTUAL_COLUMNS)
        if virtual is not None:
            state.virtual_servers = CapturedServers(node, virtual, lambda: arrays(own, "real_servers", REAL_COLUMNS))
            state.fwmark_servers = virtual["fwmark"].null_count < len(virtual["fwmark"])
    if snapshot.has(node, "ipset"):
        state.layers["ipset"] = "captured"
        _sets(state, table("ipsets"), table("ipset_members"))
    if snapshot.has(node, "iptables"):
        state.layers["iptables"] = "captured"
    if snapshot.has(node, "iptables") or snapshot.has(node, "ip6tables"):
        _chains(state, table("iptables_chains"), table("iptables_rules"))
    if snapshot.has(node, "nft"):
        state.layers["nft"] = "captured"
        state.nft_families = add_nft_tables(state, table("nft_objects"))
    if snapshot.has(node, "sockets"):
        state.layers["sockets"] = "captured"
        _listeners(state, table("listeners"))
    if snapshot.has(node, "sysctl"):
        state.layers["sysctl"] = "captured"
        state.sysctls = {text(row["key"]): text(row["value"]) for row in table("sysctls")}
    state.node_port_sockets = snapshot.regime(node).value("node_port_sockets") == "yes"
    stand_in(snapshot, state)
    _local_table(state)
    return state


def _routes(state: NodeState, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        dst = text(row["dst"])
        if not dst or "dead" in text(row["flags"]).split():
            continue
        family = number(row["family"]) or family_of(dst.partition("/")[0])
        state.routes.setdefault((family, text(row["table"]) or "main"), []).append(
            Route(
                text(row["type"]) or "unicast",
                dst,
                text(row["gateway"]),
                text(row["interface"]),
                text(row["prefsrc"]),
                number(row["metric"]) or 0,
                evidence_of(row, state.name),
            )  # fmt: skip
        )


def _rules(state: NodeState, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        family = number(row["family"])
        rule = PolicyRule(
            number(row["priority"]) or 0, flag(row["inverted"], False), text(row["src"]), text(row["dst"]), text(row["iif"]),
            text(row["oif"]), number(row["fwmark"]), number(row["fwmask"]) or 0xFFFFFFFF, text(row["action"]) or "lookup",
            text(row["table"]), evidence_of(row, state.name),
        )  # fmt: skip
        for member in (family,) if family else (4, 6):
            if (rule.src and family_of(rule.src.partition("/")[0]) != member) or (
                rule.dst and family_of(rule.dst.partition("/")[0]) != member
            ):
                continue
            state.rules.setdefault(member, []).append(rule)
    for rules in state.rules.values():
        rules.sort(key=lambda one: one.priority)


def _sets(state: NodeState, sets: list[dict[str, Any]], members: list[dict[str, Any]]) -> None:
    grouped: dict[str, list[Member]] = defaultdict(list)
    for row in members:
        grouped[text(row["set"])].append(
            Member(
                text(row["address"]),
                text(row["protocol"]),
                number(row["port"]),
                number(row["port_end"]),
                text(row["address2"]),
                flag(row["nomatch"], False),
                evidence_of(row, state.name),
            )  # fmt: skip
        )
    for row in sets:
        name = text(row["set"])
        state.sets[name] = IpSet(name, text(row["type"]), tuple(grouped.get(name, ())), evidence_of(row, state.name))


def _chains(state: NodeState, chains: list[dict[str, Any]], rules: list[dict[str, Any]]) -> None:
    grouped: dict[tuple[int, str, str], list[ChainRule]] = defaultdict(list)
    for row in sorted(rules, key=lambda row: number(row["position"]) or 0):
        if not text(row["table"]):
            continue
        key = (number(row["family"]) or 4, text(row["table"]), text(row["chain"]))
        grouped[key].append(ChainRule(parse_rule(text(row["rule"])), evidence_of(row, state.name)))
    policies = {
        (number(row["family"]) or 4, text(row["table"]), text(row["chain"])): text(row["policy"]) for row in chains
    }
    for key in {*policies, *grouped}:
        state.chains[key] = Chain(policies.get(key, ""), tuple(grouped.get(key, ())))
    state.iptables_tables = frozenset((family, name) for family, name, _ in state.chains)


def _listeners(state: NodeState, rows: list[dict[str, Any]]) -> None:
    state.listeners = index_listeners(
        Listener(
            text(row["protocol"]),
            text(row["address"]),
            number(row["port"]) or 0,
            text(row["process"]),
            text(row["scope_interface"]),
            evidence_of(row, state.name),
        )  # fmt: skip
        for row in rows
    )


def _local_table(state: NodeState) -> None:
    """What is local: the local routing table if it was captured, else the addresses (kernel: fib_add_ifaddr)."""
    captured = [route for family in (4, 6) for route in state.routes.get((family, "local"), ())]
    interfaces = {entry.address: entry for entry in state.addresses}
    own = state.local.own
    for route in captured:
        if route.type == "local":
            address = route.dst.partition("/")[0]
            if route.length in (32, 128) and (route.length == 128) == (":" in address):
                entry = interfaces.get(address) or state.vips.get(address)
                own[address] = (route.interface, route.prefsrc, entry.evidence if entry else route.evidence)
    families = {route_family for (route_family, name), routes in state.routes.items() if name == "local" and routes}
    for entry in state.addresses:
        if family_of(entry.address) not in families:
            own.setdefault(entry.address, (entry.interface, "", entry.evidence))
    state.local.vips, state.local.families = state.vips, frozenset({4, 6} - families)
    for family, loopback in ((4, "127.0.0.0/8"), (6, "::1/128")):
        if family not in families:
            state.routes.setdefault((family, "local"), []).append(
                Route("local", loopback, "", "lo", "127.0.0.1" if family == 4 else "::1", 0, Evidence("", 0))
            )
        if not state.rules.get(family):
            state.rules[family] = [
                PolicyRule(priority, False, "", "", "", "", None, 0xFFFFFFFF, "lookup", name, Evidence("", 0))
                for priority, name in ((0, "local"), (32766, "main"), (32767, "default"))
            ]
