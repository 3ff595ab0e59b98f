"""KubeSkoop's dump per node, as a bare file; objects come beside it."""

from __future__ import annotations

import base64
import json
from ipaddress import ip_network
from typing import Any

import pandas as pd

from analyzer import opened
from tests import lab

from .capture import Capture, Files

TABLES = {"local": 255, "main": 254, "default": 253}
TYPES = {"unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5}
SCOPES = {"link": 253, "host": 254}
PROTOCOLS = {"kernel": 2, "boot": 3, "static": 4, "ra": 9}


def network(text: str | None) -> dict[str, str] | None:
    if not isinstance(text, str):
        return None
    parsed = ip_network(text, strict=False)
    address = text.partition("/")[0]
    return {"IP": address, "Mask": base64.b64encode(parsed.netmask.packed).decode()}


def _value(cell: Any) -> Any:
    return None if cell is None or pd.isna(cell) else cell


def dump(capture: Capture, node: str) -> dict[str, Any]:
    """From the native form's tables: what KubeSkoop asks netlink for is what the tools print."""
    with opened(lab.bundle(capture.case)) as snapshot:
        own = snapshot.by_node[node]
        rows = {name: frame.astype(object).where(frame.notna(), None).to_dict("records") for name, frame in own.items()}
    links = json.loads(capture.of(node, "ip-j-addr.json"))
    index = {one["ifname"]: one["ifindex"] for one in links}
    interfaces = [{
        "n": one["ifname"], "i": one["ifindex"], "m": one["mtu"], "d": "dummy" if one["ifname"] == "kube-ipvs0" else "device",
        "a": [network(f"{a['local']}/{a['prefixlen']}") for a in one["addr_info"]],
        "st": {"UP": 1, "DOWN": 2}.get(one["operstate"], 3), "s": {}, "ne": [], "f": [], "p": 0, "mi": index.get(one.get("master"), 0),
    } for one in links]  # fmt: skip
    routes = [{
        "f": 2, "o": index.get(r["interface"], 0), "i": 0, "sc": SCOPES.get(r["scope"], 0), "d": network(r["dst"]),
        "s": r["prefsrc"] or "", "g": r["gateway"] or "", "p": PROTOCOLS.get(r["protocol"], 0), "pr": r["metric"] or 0,
        "tb": TABLES.get(r["table"] or "main") or int(r["table"]), "t": TYPES[r["type"]], "tos": 0, "fl": 0,
    } for r in rows["routes"] if r["family"] == 4]  # fmt: skip
    rules = [{
        "p": r["priority"], "f": 2, "tb": TABLES.get(r["table"]) or int(r["table"]), "m": r["fwmark"] or -1, "ma": -1, "tos": 0,
        "ti": 0, "gt": -1, "s": network(r["src"]), "d": network(r["dst"]), "fl": -1, "i": r["iif"] or "", "o": r["oif"] or "",
    } for r in rows["rules"]]  # fmt: skip
    servers: dict[str, Any] = {}
    for line in capture.text(node, "ipvsadm-save-n.txt").splitlines():
        words = line.split()
        protocol = {"-t": "tcp", "-u": "udp"}[words[1]]
        ip, _, port = words[2].rpartition(":")
        key = f"{protocol}:{words[2]}"
        if words[0] == "-A":
            servers[key] = {"pro": protocol, "ip": ip, "p": int(port), "s": words[4], "r": None}
        else:
            real, _, real_port = words[4].rpartition(":")
            servers[key]["r"] = servers[key]["r"] or []
            servers[key]["r"].append(
                {"ip": real, "p": int(real_port), "m": True, "w": int(words[words.index("-w") + 1])}
            )
    sets: dict[str, dict[str, Any]] = {}
    for line in capture.text(node, "ipset-save.txt").splitlines():
        words = line.split()
        if words[0] == "create":
            sets[words[1]] = {"n": words[1], "t": words[2], "m": {}}
        else:
            sets[words[1]]["m"][words[2]] = words[2]
    sockets = [{
        "l": "::" if r["address"] == "*" else r["address"], "lp": r["port"], "r": "0.0.0.0", "rp": 0, "p": r["protocol"], "st": 0,
    } for r in rows["listeners"]]  # fmt: skip
    host = {
        "n": "/proc/1/ns/net", "i": "4026531840", "p": 1, "k": "", "if": interfaces,
        "s": {r["key"]: r["value"] for r in rows["sysctls"]}, "r": routes, "ru": rules,
        "it": capture.tool(node, "iptables.xml").decode(), "is": list(sets.values()), "vs": servers, "c": sockets,
    }  # fmt: skip
    pod = {"n": "/proc/9/ns/net", "i": "4026532000", "p": 9, "k": "default/web", "if": interfaces[:1], "c": sockets}
    return {
        "p": [{"id": "a", "n": "web", "ns": "default", "pid": 9, "net": "/proc/9/ns/net", "nm": "none"}],
        "n": [host, pod],
    }


def uploads(capture: Capture) -> dict[str, Files]:
    return {f"{node}.json": {"": json.dumps(dump(capture, node)).encode()} for node in capture.nodes}
