"""The same facts as another tool prints them: netstat for ss, ifconfig for ip addr, wide tables for lists."""

from __future__ import annotations

import re
from typing import Any

_SS = re.compile(r"(tcp|udp)\s+(\S+)\s+(\d+)\s+(\d+)\s+(\S+):(\d+)\s+\S+\s*(?:users:\(\(\"([^\"]+)\",pid=(\d+))?.*")
_ADDR = re.compile(r"^(?=\d+: )", re.MULTILINE)


def netstat(ss: str, *, tcp: bool = True, udp: bool = True, programs: bool = True) -> str:
    """``netstat -ln`` (with `programs` ``-lnp``) of what ``ss -lntup`` printed."""
    lines = [
        "Active Internet connections (only servers)",
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State      "
        + (" PID/Program name" if programs else ""),
    ]
    for match in map(_SS.fullmatch, map(str.rstrip, ss.splitlines())):
        if match is None or (match[1] == "tcp" and not tcp) or (match[1] == "udp" and not udp):
            continue
        dual = match[5] == "*"
        local = f":::{match[6]}" if dual else f"{match[5].strip('[]').partition('%')[0]}:{match[6]}"
        six = dual or match[5].startswith("[")
        state = "LISTEN" if match[1] == "tcp" else ""
        program = f" {match[8]}/{match[7]}" if programs and match[7] else " -" if programs else ""
        peer = ":::*" if six else "0.0.0.0:*"
        lines.append(
            f"{match[1]}{'6' if six else ' '}  {match[3]:>6} {0:>6} {local:<23} {peer:<23} {state:<11}{program}"
        )
    return "\n".join(lines) + "\n"


def ifconfig(ip_addr: str) -> str:
    """``ifconfig`` without ``-a`` of what ``ip addr`` printed: interfaces that are up, kube-ipvs0 is not."""
    blocks = []
    for block in _ADDR.split(ip_addr):
        head = re.match(r"\d+: ([^:@]+)(?:@\S+)?: <([^>]*)> mtu (\d+)", block)
        if head is None or "UP" not in head[2].split(","):
            continue
        lines = [f"{head[1]}: flags=4163<{head[2].replace('LOWER_UP', 'RUNNING')}>  mtu {head[3]}"]
        for address, length, broadcast in re.findall(r"inet ([\d.]+)/(\d+)(?: brd ([\d.]+))?", block):
            bits = (1 << 32) - (1 << (32 - int(length)))
            mask = ".".join(str(bits >> shift & 255) for shift in (24, 16, 8, 0))
            lines.append(f"        inet {address}  netmask {mask}" + (f"  broadcast {broadcast}" if broadcast else ""))
        for address, length, scope in re.findall(r"inet6 ([0-9a-f:]+)/(\d+) scope (\w+)", block):
            number = {"link": "0x20<link>", "host": "0x10<host>"}.get(scope, "0x0<global>")
            lines.append(f"        inet6 {address}  prefixlen {length}  scopeid {number}")
        lines.append("        RX packets 1  bytes 60 (60.0 B)")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def wide_services(items: list[dict[str, Any]]) -> str:
    """``kubectl get services -A -o wide``."""
    rows = [("NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR")]
    for one in items:
        spec = one["spec"]
        ingress = one.get("status", {}).get("loadBalancer", {}).get("ingress", [])
        external = ",".join(i.get("ip") or i.get("hostname") for i in ingress) or "<none>"
        ports = ",".join(
            f"{p['port']}:{p['nodePort']}/{p['protocol']}" if p.get("nodePort") else f"{p['port']}/{p['protocol']}"
            for p in spec["ports"]
        )
        selector = ",".join(f"{k}={v}" for k, v in spec.get("selector", {}).items()) or "<none>"
        rows.append((
            one["metadata"]["namespace"], one["metadata"]["name"], spec["type"], spec["clusterIP"], external, ports, "9d", selector,
        ))  # fmt: skip
    return table(rows)


def wide_endpoints(items: list[dict[str, Any]]) -> str:
    """``kubectl get endpoints -A``."""
    rows = [("NAMESPACE", "NAME", "ENDPOINTS", "AGE")]
    for one in items:
        found = [
            f"{address['ip']}:{port['port']}"
            for subset in one.get("subsets", [])
            for address in subset.get("addresses", [])
            for port in subset.get("ports", [])
        ]
        rows.append((one["metadata"]["namespace"], one["metadata"]["name"], ",".join(found) or "<none>", "9d"))
    return table(rows)


def wide_pods(items: list[dict[str, Any]]) -> str:
    """``kubectl get pods -A -o wide``."""
    rows = [
        ("NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED NODE", "READINESS GATES")
    ]
    for one in items:
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in one["status"].get("conditions", []))
        rows.append((
            one["metadata"]["namespace"], one["metadata"]["name"], "1/1" if ready else "0/1", one["status"]["phase"], "0", "9d",
            one["status"].get("podIP", "<none>"), one["spec"].get("nodeName", "<none>"), "<none>", "<none>",
        ))  # fmt: skip
    return table(rows)


def table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) + 3 for column in zip(*rows, strict=True)]
    return "".join("".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows)
