"""The nouns of ipvscope: one declared table per kind of fact, for the whole cluster.

Parsers fill them without `node`; the snapshot adds the node each capture came from. `file` and
`line` point to the line (or, in JSON and YAML, to the line where the object starts) that proves the row.
Addresses are text in canonical form (RFC 5952 for IPv6, no brackets, no zone); null means unknown, never "none".
"""

from __future__ import annotations

from analyzer.schema import Column, TableSchema

_NODE = Column("node", "category", "node the capture was taken on; null for cluster-wide facts")
_FILE = Column("file", "category", "member of the bundle, relative to its root")
_LINE = Column("line", "Int64", "line in `file`, counted from 1")
_EXTRA = Column("extra", "str", "fields the parser does not know, as printed")


def _table(name: str, row: str, *columns: Column, node: bool = True) -> TableSchema:
    return TableSchema(name, row, (*((_NODE,) if node else ()), *columns, _FILE, _LINE))


_COUNTERS = (
    Column("conns", "Int64", "connections scheduled since start (`--stats`)"),
    Column("in_pkts", "Int64", "packets in"),
    Column("out_pkts", "Int64", "packets out"),
    Column("in_bytes", "Int64", "bytes in", "bytes"),
    Column("out_bytes", "Int64", "bytes out", "bytes"),
    Column("rounded", "boolean", "counters were printed with a K, M, G or T suffix"),
)

INTERFACES = _table(
    "interfaces",
    "one network interface of a node",
    Column("interface", "str", "name without the `@peer` suffix"),
    Column("ifindex", "Int64", "interface index"),
    Column("flags", "str", "flags as printed, comma separated"),
    Column("state", "str", "operational state, upper case"),
    Column("mtu", "Int64", "MTU", "bytes"),
    Column("kind", "str", "link kind of `ip -d` (dummy, veth, bridge, vxlan ...)"),
    Column("master", "str", "bridge or bond the interface belongs to"),
    Column("peer", "str", "text after `@`: ifN, NONE or the parent's name"),
    Column("lladdr", "str", "link-layer address"),
)

ADDRESSES = _table(
    "addresses",
    "one address on one interface",
    Column("interface", "str", "interface of the block the line stands in, never the label"),
    Column("ifindex", "Int64", "interface index"),
    Column("family", "Int64", "4 or 6"),
    Column("address", "str", "address; null when masked"),
    Column("prefix_len", "Int64", "prefix length", "bits"),
    Column("scope", "str", "global, host, link or a number"),
    Column("broadcast", "str", "broadcast address"),
    Column("label", "str", "label at the end of the line"),
    Column("flags", "str", "secondary, dynamic, tentative ... blank separated"),
)

ROUTES = _table(
    "routes",
    "one route, one row per next hop",
    Column("family", "Int64", "4 or 6"),
    Column(
        "type", "str", "unicast, local, broadcast, multicast, anycast, blackhole, unreachable, prohibit, throw, nat"
    ),
    Column("dst", "str", "destination prefix, `0.0.0.0/0` or `::/0` for default, always with a length"),
    Column("gateway", "str", "next hop; null when on-link"),
    Column("interface", "str", "output interface"),
    Column("table", "str", "local, main, default or a number"),
    Column("protocol", "str", "routing protocol"),
    Column("scope", "str", "scope"),
    Column("prefsrc", "str", "preferred source (`src`)"),
    Column("metric", "Int64", "metric"),
    Column("weight", "Int64", "weight of a next hop of a multipath route"),
    Column("flags", "str", "onlink, linkdown, dead ... blank separated"),
    _EXTRA,
)

RULES = _table(
    "rules",
    "one routing policy rule",
    Column("family", "Int64", "4 or 6 if known from the command or the prefixes, else null"),
    Column("priority", "Int64", "preference, lowest first"),
    Column("inverted", "boolean", "`not`"),
    Column("src", "str", "source prefix; null for all"),
    Column("dst", "str", "destination prefix; null for all"),
    Column("iif", "str", "input interface"),
    Column("oif", "str", "output interface"),
    Column("fwmark", "Int64", "mark to compare"),
    Column("fwmask", "Int64", "mask of the mark"),
    Column("action", "str", "lookup, blackhole, unreachable, prohibit, goto, nop"),
    Column("table", "str", "table looked up, or the goto target"),
    _EXTRA,
)

NEIGHBOURS = _table(
    "neighbours",
    "one neighbour (ARP / NDP) entry",
    Column("family", "Int64", "4 or 6"),
    Column("address", "str", "address"),
    Column("interface", "str", "interface"),
    Column("lladdr", "str", "link-layer address; null when unresolved"),
    Column("state", "str", "REACHABLE, STALE, PERMANENT, FAILED ..."),
)

VIRTUAL_SERVERS = _table(
    "virtual_servers",
    "one IPVS virtual server of a node",
    Column("protocol", "str", "tcp, udp, sctp; null for a firewall mark"),
    Column("address", "str", "virtual address; null for a firewall mark or when masked"),
    Column("port", "Int64", "virtual port"),
    Column("fwmark", "Int64", "firewall mark"),
    Column("family", "Int64", "4 or 6"),
    Column("scheduler", "str", "rr, wrr, lc, wlc, sh, dh, mh, sed, nq ... ; null in statistics listings"),
    Column("scheduler_flags", "str", "as in parentheses, comma separated"),
    Column("persistence_s", "Int64", "persistence timeout; null when not persistent", "s"),
    Column("persistence_mask", "str", "granularity mask (IPv4) or prefix length (IPv6)"),
    Column("pe", "str", "persistence engine"),
    Column("ops", "boolean", "one-packet scheduling"),
    *_COUNTERS,
    _EXTRA,
)

REAL_SERVERS = _table(
    "real_servers",
    "one real server (destination) of a virtual server",
    Column("vs_protocol", "str", "protocol of its virtual server"),
    Column("vs_address", "str", "address of its virtual server"),
    Column("vs_port", "Int64", "port of its virtual server"),
    Column("vs_fwmark", "Int64", "firewall mark of its virtual server"),
    Column("vs_line", "Int64", "line of its virtual server, joins rows whose address is masked"),
    Column("address", "str", "real server's address; null when masked or cut"),
    Column("port", "Int64", "real server's port, 0 = as received"),
    Column("forwarding", "str", "Masq, Route, Tunnel, Local"),
    Column("weight", "Int64", "weight, 0 = draining; null in statistics listings"),
    Column("active", "Int64", "active connections"),
    Column("inactive", "Int64", "inactive connections"),
    Column("persistent_conns", "Int64", "persistent connections (`--persistent-conn`)"),
    Column("upper_threshold", "Int64", "upper connection threshold"),
    Column("lower_threshold", "Int64", "lower connection threshold"),
    Column("tunnel", "str", "tunnel information as printed"),
    *_COUNTERS,
    _EXTRA,
)

IPVS_CONNECTIONS = _table(
    "ipvs_connections",
    "one IPVS connection or persistence template (`ipvsadm -Lnc`)",
    Column("protocol", "category", "tcp, udp, sctp, ip"),
    Column("expires_s", "Int64", "remaining time", "s"),
    Column("state", "category", "state"),
    Column("client_address", "str", "client"),
    Column("client_port", "Int64", "client port, 0 in a template"),
    Column("virtual_address", "str", "virtual address"),
    Column("virtual_port", "Int64", "virtual port"),
    Column("real_address", "str", "real server"),
    Column("real_port", "Int64", "real server's port"),
    Column("template", "boolean", "persistence template, not a connection"),
    _EXTRA,
)

IPVS_TIMEOUTS = _table(
    "ipvs_timeouts",
    "the timeouts of a node (`ipvsadm -L --timeout`)",
    Column("tcp_s", "Int64", "established TCP", "s"),
    Column("tcpfin_s", "Int64", "TCP after FIN", "s"),
    Column("udp_s", "Int64", "UDP", "s"),
)

CONNECTIONS = _table(
    "connections",
    "one conntrack entry; NAT is the difference of its tuples",
    Column("family", "Int64", "4 or 6"),
    Column("protocol", "category", "tcp, udp, sctp, icmp ..."),
    Column("protonum", "Int64", "IP protocol number"),
    Column("timeout_s", "Int64", "remaining time; null when offloaded", "s"),
    Column("state", "category", "TCP, SCTP or DCCP state; null where the protocol has none"),
    Column("orig_src", "category", "original tuple: source address"),
    Column("orig_dst", "category", "original tuple: destination address"),
    Column("orig_sport", "Int64", "original tuple: source port"),
    Column("orig_dport", "Int64", "original tuple: destination port"),
    Column("reply_src", "category", "reply tuple: source address"),
    Column("reply_dst", "category", "reply tuple: destination address"),
    Column("reply_sport", "Int64", "reply tuple: source port"),
    Column("reply_dport", "Int64", "reply tuple: destination port"),
    Column("unreplied", "boolean", "[UNREPLIED]"),
    Column("assured", "boolean", "[ASSURED]"),
    Column("offload", "boolean", "[OFFLOAD] or [HW_OFFLOAD]"),
    Column("mark", "Int64", "conntrack mark; null where the kernel prints none"),
    Column("zone", "Int64", "zone"),
    Column("orig_packets", "Int64", "packets, original direction"),
    Column("orig_bytes", "Int64", "bytes, original direction", "bytes"),
    Column("reply_packets", "Int64", "packets, reply direction"),
    Column("reply_bytes", "Int64", "bytes, reply direction", "bytes"),
    Column("origin", "category", "live, event, deleted"),
    _EXTRA,
)

LISTENERS = _table(
    "listeners",
    "one listening (TCP, SCTP) or unconnected (UDP) socket of a node's host namespace",
    Column("protocol", "str", "tcp, udp, sctp"),
    Column("family", "Int64", "4, 6; null when it serves both (`*`, dual)"),
    Column("address", "str", "local address; 0.0.0.0, :: or * (dual) for a wildcard"),
    Column("port", "Int64", "local port"),
    Column("scope_interface", "str", "interface after %"),
    Column("state", "str", "LISTEN, UNCONN ..."),
    Column("recv_q", "Int64", "for LISTEN: connections that wait to be accepted"),
    Column("send_q", "Int64", "for LISTEN: the backlog limit"),
    Column("process", "str", "process names, comma separated; null when not shown"),
    Column("pid", "Int64", "pid of the first process"),
    _EXTRA,
)

IPSETS = _table(
    "ipsets",
    "one ipset",
    Column("set", "str", "name"),
    Column("type", "str", "hash:ip,port, bitmap:port ..."),
    Column("family", "Int64", "4 or 6; null where the type has none"),
    Column("references", "Int64", "references; null in save form"),
    Column("declared_entries", "Int64", "number of entries the tool printed; null in save form"),
    Column("entries", "Int64", "members read"),
    _EXTRA,
)

IPSET_MEMBERS = _table(
    "ipset_members",
    "one member of an ipset",
    Column("set", "str", "name of the set"),
    Column("member", "str", "member as printed, without options"),
    Column("address", "str", "first address or prefix"),
    Column("protocol", "str", "tcp, udp, sctp ..."),
    Column("port", "Int64", "port (first of a range)"),
    Column("port_end", "Int64", "last port of a range, equal to port for a single one"),
    Column("address2", "str", "second address or prefix (hash:ip,port,ip and hash:ip,port,net)"),
    Column("nomatch", "boolean", "`nomatch` option"),
    _EXTRA,
)

IPTABLES_CHAINS = _table(
    "iptables_chains",
    "one chain of one netfilter table",
    Column("family", "Int64", "4 or 6"),
    Column("table", "str", "nat, filter, mangle, raw, security"),
    Column("chain", "str", "name"),
    Column("policy", "str", "ACCEPT or DROP for a built-in chain; null otherwise"),
    Column("packets", "Int64", "packets that met the policy"),
    Column("bytes", "Int64", "bytes that met the policy", "bytes"),
)

IPTABLES_RULES = _table(
    "iptables_rules",
    "one rule, in order",
    Column("family", "Int64", "4 or 6"),
    Column("table", "str", "nat, filter, mangle, raw, security; null when it cannot be known"),
    Column("chain", "str", "chain"),
    Column("position", "Int64", "position in the chain, from 1"),
    Column("rule", "str", "everything after `-A CHAIN `, as printed"),
    Column("target", "str", "target or chain; null when the rule only counts"),
    Column("goto", "boolean", "`-g` instead of `-j`"),
    Column("comment", "str", "text of `--comment`"),
    Column("packets", "Int64", "packets; null when not printed"),
    Column("bytes", "Int64", "bytes", "bytes"),
    Column("corrupt", "boolean", "the tool printed garbage (empty or :0 --to-destination)"),
)

NFT_OBJECTS = _table(
    "nft_objects",
    "one object of nftables (chain, map, set ...), or one line in it",
    Column("family", "Int64", "4 or 6; null for inet and others"),
    Column("nft_family", "str", "family as printed: ip, ip6, inet, arp, bridge, netdev"),
    Column("nft_table", "str", "table"),
    Column("kind", "str", "chain, map, set, counter ...; rule for a line in an object"),
    Column("name", "str", "object; for a line the object it stands in"),
    Column("text", "str", "the line as printed; null for an object that spans lines"),
)

SYSCTLS = _table(
    "sysctls",
    "one kernel parameter",
    Column("key", "str", "dotted name"),
    Column("value", "str", "value as printed, inner blanks reduced to one"),
)

HOST_FACTS = _table(
    "host_facts",
    "one short fact about a node (hostname, kernel release, tool version, what kube-proxy says of itself, counters of conntrack)",
    Column(
        "fact", "str", "hostname, kernel, os, module, tool, kube-proxy-mode, -version, -argument, conntrack-drop ..."
    ),
    Column("value", "str", "value"),
)

NODES = _table(
    "nodes",
    "one Node object",
    Column("name", "str", "metadata.name"),
    Column("internal_ips", "str", "InternalIP addresses, comma separated"),
    Column("external_ips", "str", "ExternalIP addresses, comma separated"),
    Column("pod_cidrs", "str", "spec.podCIDRs, comma separated"),
    Column("provider_id", "str", "spec.providerID"),
    Column("kubelet_version", "str", "status.nodeInfo.kubeletVersion"),
    Column("kube_proxy_version", "str", "status.nodeInfo.kubeProxyVersion (written by the kubelet)"),
    Column("kernel", "str", "status.nodeInfo.kernelVersion"),
    Column("ready", "boolean", "condition Ready is True; null when absent"),
    Column("unschedulable", "boolean", "spec.unschedulable"),
    Column("zone", "str", "topology.kubernetes.io/zone"),
    Column("labels", "str", "labels as JSON with sorted keys"),
    Column("taints", "str", "taint keys, comma separated"),
    node=False,
)

PODS = _table(
    "pods",
    "one Pod object",
    Column("namespace", "str", "namespace"),
    Column("name", "str", "name"),
    Column("node_name", "str", "spec.nodeName"),
    Column("host_network", "boolean", "spec.hostNetwork"),
    Column("ips", "str", "status.podIPs (or podIP), comma separated"),
    Column("phase", "str", "status.phase"),
    Column("ready", "boolean", "condition Ready is True; null when absent"),
    Column("ports", "str", "container ports, `containerPort/protocol[:hostPort]`, comma separated"),
    Column("images", "str", "container images, comma separated"),
    Column("labels", "str", "labels as JSON with sorted keys"),
    Column("annotations", "str", "annotations as JSON with sorted keys"),
    Column("owner", "str", "kind/name of the controlling owner"),
    Column("deleting", "boolean", "metadata.deletionTimestamp is set"),
    Column("named_ports", "str", "named container ports `name=port/protocol`, comma separated"),
    node=False,
)

SERVICES = _table(
    "services",
    "one Service object",
    Column("namespace", "str", "namespace"),
    Column("name", "str", "name"),
    Column("type", "str", "ClusterIP, NodePort, LoadBalancer, ExternalName"),
    Column("cluster_ips", "str", "spec.clusterIPs (or clusterIP), comma separated; `None` when headless"),
    Column("external_ips", "str", "spec.externalIPs, comma separated"),
    Column("ingress_ips", "str", "status.loadBalancer.ingress[].ip, comma separated, in order"),
    Column("ingress_ip_modes", "str", "ipMode of each ingress ip in the same order, empty where absent"),
    Column("ingress_hostnames", "str", "status.loadBalancer.ingress[].hostname, comma separated"),
    Column("external_policy", "str", "spec.externalTrafficPolicy; null where it does not apply"),
    Column("internal_policy", "str", "spec.internalTrafficPolicy; null on old API servers"),
    Column("session_affinity", "str", "None or ClientIP"),
    Column("affinity_timeout_s", "Int64", "sessionAffinityConfig.clientIP.timeoutSeconds", "s"),
    Column("health_check_node_port", "Int64", "spec.healthCheckNodePort; null when 0 or absent"),
    Column("source_ranges", "str", "spec.loadBalancerSourceRanges, comma separated"),
    Column("load_balancer_class", "str", "spec.loadBalancerClass"),
    Column("load_balancer_ip", "str", "spec.loadBalancerIP"),
    Column("selector", "str", "spec.selector as JSON; null without selector"),
    Column("publish_not_ready", "boolean", "spec.publishNotReadyAddresses"),
    Column("ip_families", "str", "spec.ipFamilies, comma separated"),
    Column("labels", "str", "labels as JSON with sorted keys"),
    Column("annotations", "str", "annotations as JSON with sorted keys"),
    Column("traffic_distribution", "str", "spec.trafficDistribution"),
    Column("uid", "str", "metadata.uid"),
    node=False,
)

SERVICE_PORTS = _table(
    "service_ports",
    "one port of a Service",
    Column("namespace", "str", "namespace"),
    Column("service", "str", "Service name"),
    Column("port_name", "str", "port name, empty when unnamed"),
    Column("protocol", "str", "tcp, udp, sctp"),
    Column("port", "Int64", "port"),
    Column("target_port", "str", "target port, number or name"),
    Column("node_port", "Int64", "nodePort; null when 0 or absent"),
    Column("app_protocol", "str", "appProtocol"),
    node=False,
)

ENDPOINTS = _table(
    "endpoints",
    "one endpoint address and port of a Service",
    Column("namespace", "str", "namespace"),
    Column("service", "str", "Service name"),
    Column("address", "str", "address"),
    Column("family", "Int64", "4 or 6"),
    Column("port_name", "str", "port name, empty when unnamed"),
    Column("protocol", "str", "tcp, udp, sctp"),
    Column("port", "Int64", "port; null for all ports"),
    Column("node_name", "str", "node of the endpoint"),
    Column("ready", "boolean", "condition ready; null is to be read as true (API)"),
    Column("serving", "boolean", "condition serving; null in Endpoints"),
    Column("terminating", "boolean", "condition terminating; null in Endpoints"),
    Column("target", "str", "targetRef as kind/namespace/name"),
    Column("zone", "str", "zone"),
    Column("hint_zones", "str", "hints.forZones, comma separated"),
    Column("source", "str", "EndpointSlice, Endpoints, or Pod: computed from labels and readiness"),
    Column("object", "str", "name of the object the row comes from"),
    node=False,
)

CONFIGMAPS = _table(
    "configmaps",
    "one key of a ConfigMap that the analysis reads (kube-proxy*, CNI configuration, coredns)",
    Column("namespace", "str", "namespace"),
    Column("name", "str", "name"),
    Column("key", "str", "data key"),
    Column("value", "str", "text of the key"),
    node=False,
)

PROXY_CONFIGS = _table(
    "proxy_configs",
    "one kube-proxy configuration (KubeProxyConfiguration inside a ConfigMap)",
    Column("name", "str", "ConfigMap name"),
    Column("mode", "str", "mode; empty means the default (iptables on Linux); null when the key was not readable"),
    Column("cluster_cidr", "str", "clusterCIDR"),
    Column("scheduler", "str", "ipvs.scheduler"),
    Column("strict_arp", "boolean", "ipvs.strictARP"),
    Column("exclude_cidrs", "str", "ipvs.excludeCIDRs, comma separated"),
    Column("masquerade_all", "boolean", "iptables.masqueradeAll"),
    Column("masquerade_bit", "Int64", "iptables.masqueradeBit"),
    Column("node_port_addresses", "str", "nodePortAddresses, comma separated"),
    Column("detect_local_mode", "str", "detectLocalMode"),
    Column("bridge_interface", "str", "detectLocal.bridgeInterface"),
    Column("interface_name_prefix", "str", "detectLocal.interfaceNamePrefix"),
    Column("feature_gates", "str", "featureGates as JSON with sorted keys"),
    node=False,
)

DAEMONSETS = _table(
    "daemonsets",
    "one DaemonSet",
    Column("namespace", "str", "namespace"),
    Column("name", "str", "name"),
    Column("images", "str", "container images, comma separated"),
    Column("containers", "str", "container names, comma separated"),
    Column("args", "str", "arguments of all containers as JSON list"),
    Column("labels", "str", "labels as JSON with sorted keys"),
    Column("desired", "Int64", "status.desiredNumberScheduled"),
    Column("ready", "Int64", "status.numberReady"),
    node=False,
)

VERSIONS = _table(
    "versions",
    "one version document",
    Column("component", "str", "server or client"),
    Column("version", "str", "gitVersion"),
    node=False,
)

EVENTS = _table(
    "events",
    "one Event object",
    Column("namespace", "str", "namespace of the object"),
    Column("kind", "str", "involvedObject.kind"),
    Column("name", "str", "involvedObject.name"),
    Column("reason", "str", "reason"),
    Column("type", "str", "Normal or Warning"),
    Column("message", "str", "message"),
    Column("count", "Int64", "count"),
    Column("last_seen", "str", "last time stamp as printed"),
    node=False,
)

LOAD_BALANCERS = _table(
    "load_balancers",
    "one load balancer of the cloud",
    Column("provider", "str", "aliyun-clb, aliyun-nlb"),
    Column("id", "str", "LoadBalancerId"),
    Column("name", "str", "name"),
    Column("address", "str", "address; null when only a DNS name is known"),
    Column("dns_name", "str", "DNS name"),
    Column("address_type", "str", "internet or intranet, lower case"),
    Column("status", "str", "active ..."),
    Column("vpc", "str", "VPC id"),
    Column("spec", "str", "LoadBalancerSpec"),
    Column("tags", "str", "tags as JSON with sorted keys"),
    node=False,
)

LB_LISTENERS = _table(
    "lb_listeners",
    "one listener of a load balancer",
    Column("lb_id", "str", "LoadBalancerId"),
    Column("port", "Int64", "listener port"),
    Column("port_end", "Int64", "last port of a range (NLB), else equal to port"),
    Column("protocol", "str", "tcp, udp, http, https, tcpssl"),
    Column("status", "str", "running, stopped ...; null when the document does not say"),
    Column("server_group", "str", "VServerGroupId or ServerGroupId"),
    Column("backend_port", "Int64", "BackendServerPort for the default group; null or 0 with a server group"),
    Column("scheduler", "str", "rr, wrr, sch, tch"),
    Column("description", "str", "description; `k8s/<port>/<svc>/<ns>/<clusterid>` was made by the cloud controller"),
    Column("acl_status", "str", "on, off"),
    Column("acl_type", "str", "white, black"),
    Column("acl_id", "str", "ACL id"),
    Column("forward_port", "Int64", "port an HTTP listener redirects to"),
    Column("proxy_protocol", "boolean", "PROXY protocol on"),
    Column("full_nat", "boolean", "FullNatEnabled"),
    Column("persistence_s", "Int64", "session persistence", "s"),
    node=False,
)

LB_BACKENDS = _table(
    "lb_backends",
    "one backend of a server group (or of the default group of a load balancer)",
    Column("server_group", "str", "group id; null for the default group"),
    Column("group_name", "str", "group name"),
    Column("lb_id", "str", "LoadBalancerId; null when the document does not say"),
    Column("server_id", "str", "ServerId (i-..., eni-...)"),
    Column("server_ip", "str", "ServerIp; null when empty"),
    Column("port", "Int64", "backend port; null for the default group"),
    Column("weight", "Int64", "weight"),
    Column("type", "str", "ecs, eni, eci, ip"),
    Column("description", "str", "description"),
    node=False,
)

LB_HEALTH = _table(
    "lb_health",
    "health of one backend behind one listener",
    Column("lb_id", "str", "LoadBalancerId; null when the document does not say"),
    Column("listener_port", "Int64", "listener port"),
    Column("protocol", "str", "listener protocol"),
    Column("server_id", "str", "ServerId"),
    Column("server_ip", "str", "ServerIp"),
    Column("port", "Int64", "backend port"),
    Column("status", "str", "normal, abnormal, unavailable"),
    node=False,
)

CAPTURES = _table(
    "captures",
    "one member of the bundle and what became of it",
    Column(
        "capture", "str", "the fact it captures: ipvsadm, ip-addr, conntrack, sockets, iptables, ipset, objects ..."
    ),
    Column("form", "str", "form that read it; null when nothing recognised it"),
    Column("state", "str", "rows, empty, failed, ignored, refused"),
    Column("complete", "boolean", "false when filtered or cut: absence proves nothing"),
    Column("rows", "Int64", "rows read"),
    Column("lines", "Int64", "lines of the member"),
    Column("furniture", "Int64", "titles, banners, comments"),
    Column("notes", "Int64", "parse notes"),
    Column("bytes", "Int64", "size", "bytes"),
    Column("sha256", "str", "digest of the member"),
    Column("detail", "str", "first line of an error text, or why it was ignored"),
)

PARSE_NOTES = _table(
    "parse_notes",
    "one line (or field) that could not be taken as it stands",
    Column(
        "reason",
        "str",
        "unparsed, cut, masked, name, assumed, wrong-form, not-a-table, count, second-host, repeated, "
        "not-live, suspect, corrupt, error-text, unusable, extra",
    ),
    Column("text", "str", "the line, cut at 200 characters"),
    Column("detail", "str", "what was expected or assumed"),
)

TABLES: dict[str, TableSchema] = {
    schema.name: schema
    for schema in (
        INTERFACES, ADDRESSES, ROUTES, RULES, NEIGHBOURS, VIRTUAL_SERVERS, REAL_SERVERS, IPVS_CONNECTIONS, IPVS_TIMEOUTS,
        CONNECTIONS, LISTENERS, IPSETS, IPSET_MEMBERS, IPTABLES_CHAINS, IPTABLES_RULES, NFT_OBJECTS, SYSCTLS, HOST_FACTS, NODES, PODS,
        SERVICES, SERVICE_PORTS, ENDPOINTS, CONFIGMAPS, PROXY_CONFIGS, DAEMONSETS, VERSIONS, EVENTS, LOAD_BALANCERS,
        LB_LISTENERS, LB_BACKENDS, LB_HEALTH, CAPTURES, PARSE_NOTES,
    )
}  # fmt: skip
