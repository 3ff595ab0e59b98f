"""The expected state as the tools print it: ipvsadm 1.31, ip, ipset save, iptables-save.

`ipvsadm -Ln` sorts what the kernel gives (ipvs_cmp_services and ipvs_cmp_dests of libipvs): family, protocol number, address,
port. IPv4 addresses are compared by the sign of their 32-bit difference, so 10.0.0.1 stands behind 172.16.0.1. Addresses
spread over more than half of the number range compare in a circle; then the tool's order depends on the kernel's hash table,
and the order here is that of the circle after its widest gap. Counters are 0, and the banner's table size is the kernel's
default: neither follows from objects.

>>> print(servers(Expected("node-a")), end="")
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from analyzer.kubeproxy.model import Expected, ExpectedServer
from analyzer.kubeproxy.versions import family_of

BANNER = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
"""
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}


def endpoint(address: str, port: int) -> str:
    """``192.0.2.1:80``, ``[2001:db8::1]:80``"""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _ranks(addresses: Iterable[str]) -> dict[str, int]:
    """Where each IPv4 address stands: comparing by the sign of a 32-bit difference walks a circle, cut at its widest gap."""
    numbers = sorted({int(ip_address(one)) for one in addresses if family_of(one) == 4})
    gaps = [(number - before) % 2**32 for before, number in zip([*numbers[-1:], *numbers], numbers, strict=False)]
    start = gaps.index(max(gaps)) if gaps else 0
    turned = numbers[start:] + numbers[:start]
    return {str(ip_address(number)): rank for rank, number in enumerate(turned)}


def _key(protocol: str, address: str, port: int, ranks: Mapping[str, int]) -> tuple[int, int, int, int]:
    rank = ranks[address] if address in ranks else int(ip_address(address))
    return (family_of(address), _PROTOCOLS.get(protocol, 255), rank, port)


def in_order(found: Iterable[ExpectedServer]) -> list[ExpectedServer]:
    """Virtual servers in the order of `ipvsadm -Ln`."""
    servers = list(found)
    ranks = {
        protocol: _ranks(one.address for one in servers if one.protocol == protocol)
        for protocol in {one.protocol for one in servers}
    }
    return sorted(servers, key=lambda one: _key(one.protocol, one.address, one.port, ranks[one.protocol]))


def real_in_order(server: ExpectedServer) -> list[tuple[str, int]]:
    """Its real servers, likewise."""
    ranks = _ranks(address for address, _ in server.real_servers)
    return sorted(server.real_servers, key=lambda one: _key(server.protocol, one[0], one[1], ranks))


def flags(scheduler: str, scheduler_flags: Iterable[str], persistence_s: int | None) -> str:
    """What stands behind a virtual server: ``rr persistent 10800``, ``mh (mh-port)``."""
    named = ",".join(scheduler_flags)
    persistent = f" persistent {persistence_s}" if persistence_s is not None else ""
    return f"{scheduler}{f' ({named})' if named else ''}{persistent}"


def servers(state: Expected) -> str:
    """``ipvsadm -Ln``"""
    lines = []
    for one in in_order(state.servers.values()):
        behind = flags(one.scheduler, one.flags, one.persistence_s)
        lines.append(f"{one.protocol.upper():4} {endpoint(one.address, one.port)} {behind}\n")
        for address, port in real_in_order(one):
            lines.append(f"  -> {endpoint(address, port):28} {'Masq':7} {1:<6d} {0:<10d} {0:<10d}\n")
    return BANNER + "".join(lines)


def addresses(state: Expected) -> str:
    """``ip -o addr show kube-ipvs0`` without index and lifetimes."""
    ordered = sorted(state.vips, key=lambda one: (family_of(one), int(ip_address(one))))
    return "".join(
        f"kube-ipvs0    inet {one}/32 scope global\n"
        if family_of(one) == 4
        else f"kube-ipvs0    inet6 {one}/128 scope global\n"
        for one in ordered
    )


def sets(states: Mapping[int, Expected]) -> str:
    """``ipset save`` by family; options that the ipset version adds are left out."""
    lines = []
    for family, state in states.items():
        for name, (kind, members) in sorted(state.sets.items()):
            inet = "inet6" if family == 6 else "inet"
            options = "range 0-65535" if kind == "bitmap:port" else f"family {inet} hashsize 1024 maxelem 65536"
            lines.append(f"create {name} {kind} {options}\n")
            lines.extend(f"add {name} {member}\n" for member in sorted(members))
    return "".join(lines)


def rules(state: Expected) -> str:
    """``iptables-save`` (``ip6tables-save``) without comments; of built-in chains only what kube-proxy and kubelet put in."""
    lines = []
    for table in ("nat", "filter"):
        lines.append(f"*{table}\n")
        lines.extend(f":{chain} - [0:0]\n" for where, chain in state.chains if where == table)
        lines.extend(f"-A {chain} {rule}\n" for where, chain, rule in state.rules if where == table)
        lines.append("COMMIT\n")
    return "".join(lines)
