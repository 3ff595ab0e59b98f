"""sos reports, one per node, the first with the kubernetes plugin's objects (its option ``all``)."""

from __future__ import annotations

from .capture import Capture, Files, listed

OTHER = (
    b"1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n    inet 198.51.100.9/32 scope global lo\n"
)


def node_files(capture: Capture, node: str, *, objects: bool) -> Files:
    top = f"sosreport-{node}-2026-11-22-abcdefg/"
    net, tables = top + "sos_commands/networking/", top + "sos_commands/firewall_tables/"
    files = {
        top + "sos_reports/manifest.json": b'{"version": "4.7"}',
        top + "sos_logs/sos.log": b"collecting\n",
        top + "sos_commands/host/hostname": node.encode() + b"\n",
        top + "etc/sysconfig/iptables": b"*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n",
        top + "sos_commands/ipvs/ipvsadm_-Ln": capture.of(node, "ipvsadm-Ln.txt"),
        top + "sos_commands/ipvs/ipvsadm_-Ln_--stats": capture.of(node, "ipvsadm-Ln-stats.txt"),
        top + "sos_commands/ipvs/ipvsadm_-Ln_--connection": capture.of(node, "ipvsadm-Lnc.txt"),
        top + "sos_commands/conntrack/conntrack_-L_-o_extended": capture.of(node, "conntrack-L-extended.txt"),
        top + "sos_commands/conntrack/ip_netns_exec_cni-1_conntrack_-L_-o_extended": b"",
        net + "ss_-peaonmi": capture.of(node, "ss-lntup.txt"),
        net + "ss_-s": b"Total: 120\nTCP:   9 (estab 2, closed 0)\n",
        net + "ip_-d_address": capture.of(node, "ip-addr.txt"),
        net + "ip_route_show_table_all": capture.of(node, "ip-route-all.txt"),
        net + "ip_-4_rule_list": capture.of(node, "ip-rule.txt"),
        net + "ip_-6_rule_list": b"0:\tfrom all lookup local\n32766:\tfrom all lookup main\n",
        net + "namespaces/cni-1/ip_netns_exec_cni-1_ip_-d_address": OTHER,
        tables + "iptables_-t_nat_-nvL": capture.tool(node, "iptables_-t_nat_-nvL"),
        tables + "iptables_-t_mangle_-nvL": capture.tool(node, "iptables_-t_mangle_-nvL"),
        tables + "iptables_-vnxL": capture.tool(node, "iptables_-vnxL"),
        top + "sos_commands/kernel/sysctl_-a": capture.of(node, "sysctl.txt"),
        top + "sos_commands/kernel/uname_-a": capture.uname(node),
    }
    if objects:
        kube = top + "sos_commands/kubernetes/cluster-info/"
        get = "kubectl_--kubeconfig_.etc.kubernetes.admin.conf_get_-o_json_"
        files[kube + get + "nodes"] = listed("nodes", capture.objects("nodes"))
        for kind in ("services", "endpoints", "pods", "daemonsets", "configmaps"):
            for namespace, items in capture.by_namespace(kind).items():
                files[f"{kube}{namespace}/{get}--namespace_{namespace}_{kind}"] = listed(kind, items)
    return files


def uploads(capture: Capture) -> dict[str, Files]:
    return {f"report{n}.tar.xz": node_files(capture, node, objects=n == 0) for n, node in enumerate(capture.nodes)}
