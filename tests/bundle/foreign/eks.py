"""EKS log collector: an archive per node under its instance id. The cluster's objects come beside it, as a native part."""

from __future__ import annotations

import re

from .capture import Capture, Files
from .convert import ifconfig, netstat, wide_services

PORTS = {"80": "http", "443": "https", "53": "domain"}


def instance(node_number: int) -> str:
    return f"i-0abcdef12345678{node_number}"


def ipvsadm(capture: Capture, node: str) -> bytes:
    """``--save`` with names for ports (no ``-n``), then ``--rate``, then ``--stats --exact``."""
    save = re.sub(r"(?<=:)(\d+)\b(?=\s|$)", lambda m: PORTS.get(m[1], m[1]), capture.text(node, "ipvsadm-save-n.txt"))
    stats = capture.text(node, "ipvsadm-Ln-stats.txt")
    rate = re.sub(r"Conns   InPkts  OutPkts  InBytes OutBytes", "  CPS    InPPS   OutPPS    InBPS   OutBPS", stats)
    rate = re.sub(
        r"(?<=\d)((?:\s+\d+[KMGT]?){5})$", "        0        0        0        0        0", rate, flags=re.MULTILINE
    )
    return f"{save}\n{rate}\n{stats}".encode()


def node_files(capture: Capture, node: str) -> Files:
    chosen = [one for one in capture.objects("services") if one["metadata"]["namespace"] == "default"]
    rows = [line.split(maxsplit=1)[1] for line in wide_services(chosen).splitlines()]
    return {
        "networking/ipvsadm.txt": ipvsadm(capture, node),
        "networking/conntrack.txt": b"*** Output of conntrack -S ***\n"
        b"cpu=0 found=0 invalid=0 insert=0 insert_failed=0 drop=0 early_drop=0 error=0 search_restart=0\n"
        b"*** Output of conntrack -L ***\n" + capture.of(node, "conntrack-L.txt"),
        "networking/conntrack6.txt": b"*** Output of conntrack -L -f ipv6 ***\n",
        "system/netstat.txt": netstat(capture.text(node, "ss-lntup.txt"), udp=False).encode(),
        "networking/ifconfig.txt": ifconfig(capture.text(node, "ip-addr.txt")).encode(),
        "networking/iproute.txt": capture.of(node, "ip-route-all.txt"),
        "networking/iprule.txt": capture.of(node, "ip-rule.txt"),
        "networking/ip6rule.txt": b"0:\tfrom all lookup local\n32766:\tfrom all lookup main\n",
        "networking/iptables-save.txt": capture.of(node, "iptables-save.txt"),
        "networking/iptables-nat.txt": capture.tool(node, "iptables_-t_nat_-nvL") + b"=======\nTotal Number of Rules: 18\n",
        "networking/ipset.txt": capture.of(node, "ipset-list.txt") + b"\n" + capture.of(node, "ipset-save.txt"),
        "kubelet/svc.log": "".join(f"{row}\n" for row in rows).encode(),
        "sysctls/sysctl_all.txt": capture.of(node, "sysctl.txt"),
        "var_log/kube-proxy.log": capture.of(node, "kube-proxy.log"),
        "ipamd/networkutils.log": b"nothing\n",
    }  # fmt: skip


def uploads(capture: Capture) -> dict[str, Files]:
    return {
        f"eks_{instance(n)}_2026-11-22_2044-UTC_0.7.9.tar.gz": node_files(capture, node)
        for n, node in enumerate(capture.nodes)
    }
