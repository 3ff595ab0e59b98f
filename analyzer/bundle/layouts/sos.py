"""sos report (``sosreport-<host>…``), one archive per node; the API server's objects are in one of them, or in none.

A file is named after its command: every run of other characters than letters, digits, ``_ - . /`` is ``_``. Commands of the host's
own network namespace stand directly in ``networking``; the other namespaces are below ``namespaces``. On the host there
is no ``iptables-save``, only ``iptables -nvL`` of single tables. Source: sos, as of August 2026.
"""

from __future__ import annotations

import re

from analyzer.bundle.places import OTHER_NAMESPACE, Layout, Root, Rule

_ROOT = re.compile(
    r"(?:sosreport|sos-collector)-(?P<host>.+?)(?:-(?P<label>\d+))?-(?P<date>20\d\d-\d\d-\d\d)-(?P<id>\w+?)(?:-obfuscated)?"
)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
NETWORKING = "sos_commands/networking/"


def _node(root: Root) -> str:
    """The captured host name, else the one in the archive's name."""
    for parts in (("hostname",), ("sos_commands", "host", "hostname"), ("sos_commands", "networking", "hostname")):
        text = root.text(*parts, limit=300).strip()
        if _HOST.fullmatch(text) and text.lower() not in ("localhost", "localhost.localdomain"):
            return text
    match = _ROOT.fullmatch(root.name)
    return match["host"] if match else ""


LAYOUT = Layout(
    "sos",
    title="sos report",
    markers=(frozenset({"sos_commands/", "sos_reports/"}), frozenset({"sos_commands/", "sos_logs/"})),
    node=_node,
    rules=(
        Rule("*/namespaces/*", unused=OTHER_NAMESPACE),
        Rule("*/ip_netns_exec_*", unused=OTHER_NAMESPACE),
        Rule("sos_commands/ipvs/ipvsadm_-Ln", command="ipvsadm -Ln"),
        Rule("sos_commands/ipvs/ipvsadm_-Ln_--stats", command="ipvsadm -Ln --stats"),
        Rule("sos_commands/ipvs/ipvsadm_-Ln_--rate", command="ipvsadm -Ln --rate"),
        Rule("sos_commands/ipvs/ipvsadm_-Ln_--connection", command="ipvsadm -Ln --connection"),
        Rule("sos_commands/ipvs/ipvsadm_-Ln_--persistent-conn", command="ipvsadm -Ln --persistent-conn"),
        Rule("sos_commands/ipvs/ipvsadm_-Ln_--thresholds", command="ipvsadm -Ln --thresholds"),
        Rule("sos_commands/ipvs/ipvsadm_-Ln_--timeout", command="ipvsadm -Ln --timeout"),
        Rule("sos_commands/conntrack/conntrack_-L_-o_extended", command="conntrack -L -o extended"),
        Rule("sos_commands/conntrack/conntrack_-S", command="conntrack -S"),
        Rule(NETWORKING + "ss_-s", unused="a summary, not sockets"),
        Rule(NETWORKING + "ss_*", command="ss -peaonmi"),
        Rule(NETWORKING + "netstat_-*neopa", command="netstat -neopa"),
        Rule(NETWORKING + "ip_-d_address", command="ip -d address"),
        Rule(NETWORKING + "ip_-o_addr", command="ip -o addr"),
        Rule(NETWORKING + "ip_route_show_table_all", command="ip route show table all"),
        Rule(NETWORKING + "ip_-4_rule_list", command="ip -4 rule list"),
        Rule(NETWORKING + "ip_-6_rule_list", command="ip -6 rule list"),
        Rule(NETWORKING + "ip_-s_-s_neigh_show", command="ip -s -s neigh show"),
        *(
            Rule(f"sos_commands/firewall_tables/iptables_-t_{table}_-nvL", command=f"iptables -t {table} -nvL")
            for table in ("nat", "mangle", "filter", "raw", "security")
        ),
        Rule("sos_commands/firewall_tables/iptables_-vnxL", command="iptables -t filter -vnxL"),
        Rule("sos_commands/firewall_tables/ip6tables_*", command="ip6tables -nvL"),
        Rule("sos_commands/*/nft_-a_list_ruleset", command="nft list ruleset"),
        Rule("sos_commands/*/nft_list_ruleset", command="nft list ruleset"),
        Rule("sos_commands/kernel/sysctl_-a", command="sysctl -a"),
        Rule("sos_commands/kernel/uname_-a", command="uname -a"),
        Rule("sos_commands/kernel/lsmod", command="lsmod"),
        Rule("sos_commands/host/hostname", command="hostname"),
        Rule("sos_commands/kubernetes/cluster-info/*get_-o_json_*", "cluster"),
        Rule("sos_commands/kubernetes/cluster-info/*get_*", "cluster", command="kubectl get"),
        Rule("var/log/pods/kube-system_kube-proxy*.log", command="kube-proxy.log"),
    ),
    lacks=("ipset", "ip6tables"),
)
