"""Each node's regime: what its own tables say about kube-proxy and CNI first, objects second, version last."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from analyzer.evidence import Evidence
from analyzer.snapshot.model import UNKNOWN, Fact, Regime, Snapshot
from analyzer.snapshot.objects import columns
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

Version = tuple[int, int]


def minor_version(text: str) -> Version | None:
    """(1, 28) of ``v1.28.3-aliyun.1``; None when there is no version in it."""
    found = re.match(r"v?(\d{1,3})\.(\d{1,3})", text or "")
    return (int(found[1]), int(found[2])) if found else None


def regimes(snapshot: Snapshot) -> Mapping[str, Regime]:
    """The regime of every node. A fact that nothing decides is `unknown`, never a default."""
    cluster = _ClusterFacts(snapshot)
    return {node: Regime(node, _facts(snapshot, cluster, node)) for node in snapshot.node_names}


class _ClusterFacts:
    """What the objects say once for all nodes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        versions = snapshot["versions"]
        server = versions[versions["component"] == "server"]
        self.server = _fact(server, "version") if len(server) else UNKNOWN
        configs = snapshot["proxy_configs"]
        configs = configs[configs["mode"].notna()]
        self.mode = UNKNOWN
        modes = {str(mode) or "iptables" for mode in configs["mode"]}
        if len(modes) == 1:
            self.mode = Fact(modes.pop(), "object", _evidence(configs.head(1)))
        self.cluster_cidr = (
            str(configs["cluster_cidr"].iloc[0]) if len(configs) and configs["cluster_cidr"].notna().iloc[0] else ""
        )
        self.proxy_images = self._images()
        self.cni = self._cni()

    def _images(self) -> dict[str, Fact]:
        pods = self.snapshot["pods"]
        found: dict[str, Fact] = {}
        chosen = pods[pods["name"].str.contains("kube-proxy", na=False)]
        for name, images, file, line in zip(
            chosen["node_name"], chosen["images"], chosen["file"], chosen["line"], strict=True
        ):
            tag = re.search(r"kube-proxy[^,]*:v?(\d+\.\d+[^,@]*)", str(images))
            if tag and isinstance(name, str):
                found[name] = Fact(tag[1], "object", (Evidence(str(file), int(line)),))
        return found

    @cached_property
    def local_services(self) -> tuple[tuple[frozenset[str], tuple[str, ...], tuple[int, ...]], ...]:
        """Published Services with external policy Local and a ready endpoint: the endpoints' nodes, addresses, ports."""
        places: dict[tuple[Any, Any], set[str]] = defaultdict(set)
        endpoints = self.snapshot["endpoints"]
        for namespace, name, ready, node in columns(endpoints, "namespace", "service", "ready", "node_name"):
            if ready is None or ready:
                places[(namespace, name)].add(node or "")
        ports: dict[tuple[Any, Any], list[int]] = defaultdict(list)
        for namespace, name, port in columns(self.snapshot["service_ports"], "namespace", "service", "port"):
            if port is not None:
                ports[(namespace, name)].append(port)
        wanted = ("namespace", "name", "external_policy", "ingress_ips")
        return tuple(
            (frozenset(places[(namespace, name)]), tuple(published.split(",")), tuple(ports.get((namespace, name), ())))
            for namespace, name, policy, published in columns(self.snapshot["services"], *wanted)
            if policy == "Local" and published is not None and (namespace, name) in places
        )

    def replaced(self, node: str) -> Fact:
        """Whether eBPF programs stand in for kube-proxy on the node: a node label (ACK) or Cilium's configuration."""
        labelled = self._labelled[self._labelled["name"] == node] if len(self._labelled) else self._labelled
        return Fact("ebpf", "object", _evidence(labelled)) if len(labelled) else self._cilium

    @cached_property
    def _labelled(self) -> pd.DataFrame:
        """Node objects that say so."""
        nodes = self.snapshot["nodes"]
        return nodes[nodes["labels"].str.contains('"k8s.aliyun.com/no-kube-proxy": ?"true"', na=False)]

    @cached_property
    def _cilium(self) -> Fact:
        configs = self.snapshot["configmaps"]
        hit = configs[
            (configs["key"] == "kube-proxy-replacement") & configs["value"].str.strip().isin(["true", "strict"])
        ]
        return Fact("ebpf", "object", _evidence(hit.head(1))) if len(hit) else UNKNOWN

    def _cni(self) -> tuple[Fact, Fact]:
        """(cni, data path) as the DaemonSets and the CNI ConfigMaps say."""
        sets = self.snapshot["daemonsets"]
        configs = self.snapshot["configmaps"]
        named = [
            (cni, sets[sets["name"].str.contains(pattern, na=False)])
            for cni, pattern in (
                ("terway", r"^terway"), ("flannel", r"flannel"), ("calico", r"^calico-node"), ("cilium", r"^cilium$"),
            )
        ]  # fmt: skip
        hits = [(cni, rows) for cni, rows in named if len(rows)]
        if len(hits) != 1:
            return (Fact("unknown", "assumed"), UNKNOWN)
        cni, rows = hits[0]
        fact = Fact(cni, "object", _evidence(rows.head(1)))
        if cni == "flannel":
            return fact, Fact("bridge", "object", fact.evidence)
        if cni == "calico":
            return fact, Fact("veth", "object", fact.evidence)
        if cni == "cilium":
            return fact, Fact("ebpf", "object", fact.evidence)
        text = configs[configs["name"].str.contains("eni-config|terway", na=False)]
        body = " ".join(str(value) for value in text["value"].dropna()).lower()
        if str(rows["name"].iloc[0]) in ("terway-eni",):
            return fact, Fact("exclusive-eni", "object", fact.evidence)
        if not len(text):
            return fact, UNKNOWN
        if re.search(r'eniip_virtual_type"\s*:\s*"ipvlan', body):
            return fact, Fact("ipvlan", "object", _evidence(text.head(1)))
        if re.search(r'eniip_virtual_type"\s*:\s*"datapathv2', body) or "cilium-cni" in body:
            return fact, Fact("ebpf", "object", _evidence(text.head(1)))
        return fact, Fact("veth", "object", _evidence(text.head(1)))


def _evidence(rows: pd.DataFrame, node: str = "") -> tuple[Evidence, ...]:
    return tuple(
        Evidence(str(file), int(line), "", node)
        for file, line in zip(rows["file"], rows["line"], strict=True)
        if isinstance(file, str) and line == line and line is not None
    )[:3]


def _fact(rows: pd.DataFrame, column: str) -> Fact:
    return Fact(str(rows[column].iloc[0]), "object", _evidence(rows.head(1)))


_POINTER = ("file", "line")
_READ: Mapping[str, tuple[str, ...]] = {
    "iptables_chains": ("table", "chain", *_POINTER),
    "iptables_rules": ("table", "chain", "target", "rule", *_POINTER),
    "host_facts": ("fact", "value", *_POINTER),
    "interfaces": ("interface", "master", *_POINTER),
    "sysctls": ("key", "value", *_POINTER),
    "virtual_servers": ("address", "port", *_POINTER),
    "real_servers": ("vs_address", "vs_port", *_POINTER),
    "ipsets": ("set", *_POINTER),
    "addresses": ("interface", *_POINTER),
    "rules": ("priority", *_POINTER),
    "nft_objects": ("nft_table", "kind", "name", *_POINTER),
}
"""What is read of a node's tables."""


class _Own(dict[str, "pd.DataFrame"]):
    """One node's tables, each read when a fact asks for it: the state of thousands of nodes is large."""

    def __init__(self, snapshot: Snapshot, node: str) -> None:
        self._read = partial(snapshot.of_node, node)

    def __missing__(self, table: str) -> pd.DataFrame:
        found = self[table] = self._read(table, *_READ[table])
        return found


def _where(rows: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    return rows[rows[column] == value] if len(rows) else rows


def _starting(rows: pd.DataFrame, column: str, prefix: str) -> pd.DataFrame:
    return rows[rows[column].str.startswith(prefix, na=False)] if len(rows) else rows


def _containing(rows: pd.DataFrame, column: str, pattern: str) -> pd.DataFrame:
    return rows[rows[column].str.contains(pattern, na=False)] if len(rows) else rows


def _facts(snapshot: Snapshot, cluster: _ClusterFacts, node: str) -> dict[str, Fact]:
    table = _Own(snapshot, node)
    node_object = snapshot.node_rows.get(node, {})
    facts: dict[str, Fact] = {}
    facts["kubernetes_version"] = _kubelet(node_object, cluster)
    facts["kube_proxy_version"] = _proxy_version(table, cluster, node_object, node)
    facts["proxy_mode"] = _proxy_mode(snapshot, table, cluster, node)
    version = minor_version(facts["kube_proxy_version"].value)
    facts["ipvs_filter"] = _ipvs_filter(snapshot, table, version, node)
    facts["local_fallback"] = _local_fallback(cluster, table, version, node)
    facts["node_port_sockets"] = _by_version(version, (1, 24), "yes", "no")
    facts["masquerade"], facts["masquerade_mark"] = _masquerade(table)
    facts["cni"], facts["data_path"] = _cni_of(table, cluster, node)
    facts["cni_masquerade"] = _cni_masquerade(snapshot, table, facts["cni"], node)
    facts["vs_conntrack"] = _sysctl(table["sysctls"], "net.ipv4.vs.conntrack", node)
    facts["kernel"] = _host_fact(table["host_facts"], "kernel", node)
    if not facts["kernel"].known:
        facts["kernel"] = _said(node_object, "kernel") or facts["kernel"]
    return facts


def _said(row: Mapping[str, Any], column: str) -> Fact | None:
    """What a Node object says, null where it does not."""
    if row.get(column) is None:
        return None
    known = isinstance(row["file"], str) and row["line"] is not None
    return Fact(str(row[column]), "object", (Evidence(row["file"], row["line"]),) if known else ())


def _by_version(version: Version | None, since: Version, before: str, after: str) -> Fact:
    if version is None:
        return UNKNOWN
    return Fact(after if version >= since else before, "version")


def _kubelet(node_object: Mapping[str, Any], cluster: _ClusterFacts) -> Fact:
    return _said(node_object, "kubelet_version") or cluster.server


def _proxy_version(
    table: Mapping[str, pd.DataFrame], cluster: _ClusterFacts, node_object: Mapping[str, Any], node: str
) -> Fact:
    """The running kube-proxy's own word, its image tag, then the kubelet's claim, then the API server's version."""
    logged = _host_fact(table["host_facts"], "kube-proxy-version", node)
    if logged.known:
        return logged
    if node in cluster.proxy_images:
        return cluster.proxy_images[node]
    return _said(node_object, "kube_proxy_version") or cluster.server


def _host_fact(facts: pd.DataFrame, name: str, node: str) -> Fact:
    rows = _where(facts, "fact", name)
    return Fact(str(rows["value"].iloc[-1]), "state", _evidence(rows.tail(1), node)) if len(rows) else UNKNOWN


def _sysctl(sysctls: pd.DataFrame, key: str, node: str) -> Fact:
    rows = _where(sysctls, "key", key)
    return Fact(str(rows["value"].iloc[0]), "state", _evidence(rows.head(1), node)) if len(rows) else UNKNOWN


def _proxy_mode(snapshot: Snapshot, table: Mapping[str, pd.DataFrame], cluster: _ClusterFacts, node: str) -> Fact:
    """Live state beats configuration: the log, virtual servers or KUBE- sets, KUBE-SVC chains, kube-proxy's nftables table,
    then the ConfigMap, which also decides where the tables of two modes are there.
    """
    replaced = cluster.replaced(node)
    if replaced.known:
        return replaced
    logged = _host_fact(table["host_facts"], "kube-proxy-mode", node)
    if logged.known:
        return logged
    svc = _starting(table["iptables_chains"], "chain", "KUBE-SVC-")
    servers = table["virtual_servers"]
    kube_sets = _starting(table["ipsets"], "set", "KUBE-")
    if len(servers) or len(kube_sets):
        if len(svc) and cluster.mode.known and cluster.mode.value != "ipvs":
            return Fact(cluster.mode.value, "object", cluster.mode.evidence)
        return Fact("ipvs", "state", _evidence((servers if len(servers) else kube_sets).head(1), node))
    nft = _where(_where(_where(table["nft_objects"], "nft_table", "kube-proxy"), "kind", "map"), "name", "service-ips")
    if len(svc) and len(nft) and cluster.mode.known:
        return cluster.mode
    if len(svc):
        return Fact("iptables", "state", _evidence(svc.head(1), node))
    if len(nft):
        return Fact("nftables", "state", _evidence(nft.head(1), node))
    matching = _containing(_where(table["iptables_rules"], "chain", "KUBE-SERVICES"), "rule", "match-set KUBE-")
    if len(matching):
        # Only the IPVS proxier matches sets there.
        return Fact("ipvs", "state", _evidence(matching.head(1), node))
    if not snapshot.has(node, "iptables") and not cluster.mode.known:
        bound = _where(table["addresses"], "interface", "kube-ipvs0")
        if len(bound):
            return Fact("ipvs", "state", _evidence(bound.head(1), node))
    return cluster.mode


def _ipvs_filter(snapshot: Snapshot, table: Mapping[str, pd.DataFrame], version: Version | None, node: str) -> Fact:
    """KUBE-IPVS-FILTER: introduced in 1.26.0 (kubernetes#108460)."""
    if snapshot.has(node, "iptables"):
        hit = _where(_where(table["iptables_chains"], "chain", "KUBE-IPVS-FILTER"), "table", "filter")
        return Fact("present" if len(hit) else "absent", "state", _evidence(hit.head(1), node))
    return _by_version(version, (1, 26), "absent", "present")


def _local_fallback(cluster: _ClusterFacts, table: _Own, version: Version | None, node: str) -> Fact:
    """Whether a Local server without local endpoint lists all (kubernetes#97081, 1.24) or none.

    Read off this node's servers where such a Service exists, else by version.
    """
    away = [(addresses, ports) for places, addresses, ports in cluster.local_services if node not in places]
    servers = table["virtual_servers"] if away else TABLES["virtual_servers"].empty()
    published = {address for addresses, _ in away for address in addresses}
    at: dict[tuple[str, int], int] = {}
    for row, end in enumerate(columns(servers, "address", "port")):
        if end[0] in published:
            at.setdefault(end, row)
    for address, port in ((address, port) for addresses, ports in away for address in addresses for port in ports):
        if (hit := at.get((address, port))) is not None:
            below = _where(table["real_servers"], "vs_address", address)
            below = below[below["vs_port"] == port]
            value = "all" if len(below) else "none"
            found = _evidence(servers.iloc[hit : hit + 1], node) + _evidence(below.head(1), node)
            return Fact(value, "state", found)
    return _by_version(version, (1, 24), "none", "all")


def _masquerade(table: Mapping[str, pd.DataFrame]) -> tuple[Fact, Fact]:
    """How ClusterIP traffic gets the masquerade mark, read off KUBE-SERVICES, and the mark itself."""
    rules = table["iptables_rules"]
    marks = _containing(_where(rules, "chain", "KUBE-MARK-MASQ"), "rule", r"--\S*mark ")
    mark = UNKNOWN
    if len(marks):
        value = re.search(r"--(?:set-xmark|or-mark|set-mark) (0x[0-9a-fA-F]+)", str(marks["rule"].iloc[0]))
        if value:
            mark = Fact(hex(int(value[1], 16)), "state", _evidence(marks.head(1)))
    hits = _containing(_where(rules, "target", "KUBE-MARK-MASQ"), "rule", "KUBE-CLUSTER-IP")
    if not len(hits):
        return UNKNOWN, mark
    text = str(hits["rule"].iloc[0])
    negated = re.search(r"! -s (\S+)", text)
    if negated:
        value_text = f"cluster-cidr {negated[1]}"
    elif "src,dst" in text:
        value_text = "src-dst"
    elif "! -i" in text:
        value_text = "interface"
    else:
        value_text = "all"
    return Fact(value_text, "state", _evidence(hits.head(1))), mark


def _cni_of(table: Mapping[str, pd.DataFrame], cluster: _ClusterFacts, node: str) -> tuple[Fact, Fact]:
    """The node's devices and rules, then the cluster's objects. Disagreement makes the data path unknown."""
    links = table["interfaces"]
    cni, path = cluster.cni
    names = [name or "" for (name,) in columns(links, "interface")]
    masters = {master for name, master in columns(links, "interface", "master") if (name or "").startswith("veth")}

    def first(fits: Callable[[str], object]) -> pd.DataFrame:
        at = next((at for at, name in enumerate(names) if name and fits(name)), len(names))
        return links.iloc[at : at + 1]

    def link(pattern: str) -> pd.DataFrame:
        return first(re.compile(pattern).match)

    seen: Fact = UNKNOWN
    if len(link(r"ipvl_")):
        seen = Fact("ipvlan", "state", _evidence(link(r"ipvl_").head(1), node))
    elif len(link(r"cilium_")):
        seen = Fact("ebpf", "state", _evidence(link(r"cilium_").head(1), node))
    elif len(bridge := first(masters.__contains__)):
        seen = Fact("bridge", "state", _evidence(bridge, node))
    elif len(link(r"(cni0|cbr0)$")):
        seen = Fact("bridge", "state", _evidence(link(r"(cni0|cbr0)$").head(1), node))
    elif len(link(r"cali[0-9a-f]{5,}")):
        seen = Fact("veth", "state", _evidence(link(r"cali[0-9a-f]{5,}").head(1), node))
    if not cni.known and seen.value == "veth":
        rules = table["rules"]
        pods = rules[(rules["priority"] == 2048) | (rules["priority"] == 512)]
        if len(pods):
            cni = Fact("terway", "state", _evidence(pods.head(1), node))
    if not cni.known and seen.value == "bridge":
        cni = Fact("flannel", "assumed", seen.evidence)
    if seen.known and path.known and seen.value != path.value:
        if path.value == "exclusive-eni":
            return cni, path
        return cni, seen if seen.value in ("ipvlan", "ebpf") else Fact(
            "unknown", "assumed", seen.evidence + path.evidence
        )
    return cni, seen if seen.known else path


def _cni_masquerade(snapshot: Snapshot, table: Mapping[str, pd.DataFrame], cni: Fact, node: str) -> Fact:
    """Who besides kube-proxy masquerades: rules of POSTROUTING outside KUBE-POSTROUTING."""
    if snapshot.has(node, "iptables"):
        rules = table["iptables_rules"]
        nat = rules[(rules["table"] == "nat") & (rules["target"].isin(["MASQUERADE", "SNAT"]))] if len(rules) else rules
        foreign = nat[~nat["chain"].str.startswith("KUBE-", na=False)] if len(nat) else nat
        if not len(foreign):
            return Fact("none", "state")
        chain = str(foreign["chain"].iloc[0])
        kind = "other"
        if chain.startswith("FLANNEL") or cni.value == "flannel":
            kind = "flannel"
        elif chain.startswith("cali-"):
            kind = "calico"
        elif chain.startswith("IP-MASQ"):
            kind = "ip-masq-agent"
        return Fact(kind, "state", _evidence(foreign.head(2), node))
    if cni.value == "flannel":
        return Fact("flannel", "assumed", cni.evidence)
    if cni.value == "terway":
        return Fact("none", "assumed", cni.evidence)
    return UNKNOWN
