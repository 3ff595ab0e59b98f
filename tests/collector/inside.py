"""Run inside a network namespace of its own (`unshare --net python -m tests.collector.inside ARGUMENTS...`).

Makes the namespace look like a small node (a Service address, routes, rules, sets, connections that exist) and runs
collect.sh there, once per `--` in the arguments. Exit code 77: the kernel does not let it.
"""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading

from tests.collector.setting import SCRIPT

SETUP = """
sysctl -q -w net.ipv6.conf.default.addr_gen_mode=1 net.ipv6.conf.default.accept_dad=0
ip link set lo up
ip link add kube-ipvs0 type dummy || ip link add kube-ipvs0 type bridge
ip addr add 10.96.0.10/32 dev kube-ipvs0
ip link add eth1 type veth peer name eth2
ip addr add 10.0.0.1/24 dev eth1
ip link set eth1 up
ip link set eth2 up
ip route add 10.9.0.0/16 via 10.0.0.2
ip route add default via 10.0.0.2 table 100
ip rule add from 10.0.0.1 to 10.7.0.0/16 lookup 100
ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth1
ipset create KUBE-CLUSTER-IP hash:ip,port
ipset add KUBE-CLUSTER-IP 10.96.0.10,tcp:80
iptables -t nat -N KUBE-SERVICES
iptables -t nat -A OUTPUT -j KUBE-SERVICES
iptables -t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080
ip6tables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
nft add table inet host-firewall
nft add chain inet host-firewall input '{ type filter hook input priority 0 ; policy accept ; }'
"""
KUBE_PROXY = {
    "/proxyMode": b"ipvs",
    "/metrics": b'# HELP x\nkubernetes_build_info{git_version="v1.28.3",minor="28"} 1\nother 2\n',
}


class KubeProxy(http.server.BaseHTTPRequestHandler):
    """What kube-proxy answers on its metrics port."""

    def do_GET(self) -> None:
        body = KUBE_PROXY[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main(runs: list[list[str]]) -> int:
    made = subprocess.run(["sh", "-ec", SETUP], capture_output=True, text=True, check=False, timeout=30)
    if made.returncode:
        print(made.stderr, file=sys.stderr)
        return 77
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 10249), KubeProxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    server = socket.create_server(("10.0.0.1", 8080))
    server6 = socket.create_server(("::1", 8080), family=socket.AF_INET6)
    through = socket.create_connection(("10.96.0.10", 80), 5)
    direct = socket.create_connection(("10.0.0.1", 8080), 5)
    six = socket.create_connection(("::1", 8080), 5)
    for arguments in runs:
        subprocess.run(["sh", str(SCRIPT), "node", "-n", "node-a", *arguments], check=True, timeout=100)
    for one in (through, direct, six, server, server6):
        one.close()
    return 0


if __name__ == "__main__":
    given: list[list[str]] = [[]]
    for word in sys.argv[1:]:
        if word == "--":
            given.append([])
        else:
            given[-1].append(word)
    sys.exit(main(given))
