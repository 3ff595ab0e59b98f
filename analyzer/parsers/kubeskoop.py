"""KubeSkoop's ``collector.json``: one node's network namespaces in one JSON object.

Only the host's own namespace is read (the first one, whose ``k`` is empty). Keys are short since May 2023; of the long ones
before, those of namespaces, iptables, ipset and IPVS are known. IPVS has neither flags nor counters there, sockets no
process, and nothing tells the node or the time.

>>> dump = b'{"p": [], "n": [{"k": "", "vs": {"tcp:192.0.2.1:80": {"pro": "tcp", "ip": "192.0.2.1", "p": 80, "s": "rr", "r": null}}}]}'
>>> [(form.capture, parsed.state) for form, parsed in read(dump, "collector.json") or []]
[('ipvsadm', 'rows')]
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from analyzer.parsers import frames
from analyzer.parsers.base import Form, Head, LineCount, Parsed, ParseNote
from analyzer.parsers.fields import address, family
from analyzer.parsers.netfilter_xml import ipset_text, iptables_text
from analyzer.tables import TABLES

_START = re.compile(rb'\s*\{\s*"(?:p|n|pods|netns)"\s*:')
_KEYS = {"p", "n", "pods", "netns"}
_LONG = {
    "k": "key", "if": "interfaces", "r": "route_info", "ru": "rule_info", "it": "iptables_info", "is": "ipset_info",
    "vs": "ipvs_info", "c": "conn_stats", "s": "sysctl_info",
}  # fmt: skip
_STATES = {1: "UP", 2: "DOWN", 3: "UNKNOWN"}
# linux/rtnetlink.h: rtm_type, rtm_scope, rtm_protocol, rtm_table
_TYPES = {1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole", 7: "unreachable",
          8: "prohibit", 9: "throw", 10: "nat"}  # fmt: skip
_SCOPES = {200: "site", 253: "link", 254: "host", 255: "nowhere"}
_PROTOCOLS = {1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp", 186: "bgp", 188: "ospf"}
_TABLES = {253: "default", 254: "main", 255: "local"}
Object = Mapping[str, Any]
Tables = dict[str, list[dict[str, Any]]]


def _never(_: Head) -> int:
    return 0


def _nothing(data: bytes, file: str) -> Parsed:
    """These forms are never chosen by their sniffing: `read` hands them out."""
    return Parsed({}, state="failed", complete=False)


def _form(capture: str, *tables: str) -> Form:
    return Form(f"kubeskoop-{capture}", capture, tables, (), _never, _nothing)


ADDRESSES = _form("ip-addr", "interfaces", "addresses")
ROUTES = _form("ip-route", "routes")
RULES = _form("ip-rule", "rules")
IPTABLES = _form("iptables", "iptables_chains", "iptables_rules")
IPSET = _form("ipset", "ipsets", "ipset_members")
IPVS = _form("ipvsadm", "virtual_servers", "real_servers")
SOCKETS = _form("sockets", "listeners")
SYSCTL = _form("sysctl", "sysctls")
FORMS = (ADDRESSES, ROUTES, RULES, IPTABLES, IPSET, IPVS, SOCKETS, SYSCTL)


def read(data: bytes, file: str) -> list[tuple[Form, Parsed]] | None:
    """One result per fact the dump holds; nothing at all when the member is no such dump."""
    if not _START.match(data[:256]):
        return None
    try:
        top = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(top, dict) or not top.keys() <= _KEYS:
        return None
    spaces = [one for one in _list(top.get("n", top.get("netns"))) if isinstance(one, dict)]
    if not spaces:
        return None
    host = next((one for one in spaces if _get(one, "k") in ("", None)), None)
    if host is None:
        return []  # a dump of a single pod
    found: list[tuple[Form, Parsed]] = []
    for key, form, make in _READERS:
        value = _get(host, key)
        if value is None:
            continue
        line = data.count(b"\n", 0, max(data.find(f'"{key}"'.encode()), 0)) + 1
        notes: list[ParseNote] = []
        try:
            parsed = make(value, host, notes, line)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            note = ParseNote(line, "unusable", str(error)[:200], f"not the shape of {key!r}")
            parsed = Parsed(
                {name: frames.empty(TABLES[name]) for name in form.tables}, (note,), state="failed", complete=False
            )
        tables = {name: frames.moved(frame, file, line) for name, frame in parsed.tables.items()}
        first = not found
        total = data.count(b"\n") + (not data.endswith(b"\n")) if first else 0
        blank = sum(1 for row in data.split(b"\n")[:-1] if not row.strip()) if first and total > 1 else 0
        lines = LineCount(total, blank, total - blank)
        found.append((form, replace(parsed, tables=tables, notes=(*parsed.notes, *notes), lines=lines)))
    return found


def _get(space: Object, key: str) -> Any:
    return space.get(key, space.get(_LONG.get(key, key)))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parsed(rows: Tables, *, complete: bool = True) -> Parsed:
    tables = {name: frames.from_rows(TABLES[name], made) for name, made in rows.items()}
    return Parsed(tables, state="rows" if any(rows.values()) else "empty", complete=complete)


def _network(value: Any) -> tuple[str, int] | None:
    """Address and prefix length of ``{"IP": ..., "Mask": base64}``."""
    if not isinstance(value, dict):
        return None
    known = address(str(value.get("IP") or ""))
    try:
        mask = base64.b64decode(str(value.get("Mask") or ""), validate=True)
    except binascii.Error:
        return None
    if known is None:
        return None
    length = f"{int.from_bytes(mask, 'big'):0{8 * len(mask)}b}".rstrip("0").count("1") if mask else 0
    return known, length


def _interfaces(value: Any, host: Object, notes: list[ParseNote], line: int) -> Parsed:
    rows: Tables = {"interfaces": [], "addresses": []}
    names = _names(host)
    for one in value:
        name, index = str(one["n"]), int(one["i"])
        kind = one.get("d") if one.get("d") not in ("", "device", None) else None
        state = _STATES.get(one.get("st"), "UNKNOWN")
        rows["interfaces"].append({
            "interface": name, "ifindex": index, "state": state, "mtu": one.get("m"), "kind": kind,
            "master": names.get(one.get("mi") or 0),
        })  # fmt: skip
        for item in one.get("a") or ():
            if (known := _network(item)) is None:
                notes.append(ParseNote(line, "masked", json.dumps(item)[:200], "not an address"))
                continue
            scope = "host" if name == "lo" else "link" if known[0].startswith("fe80:") else "global"
            rows["addresses"].append({
                "interface": name, "ifindex": index, "family": family(known[0]), "address": known[0], "prefix_len": known[1],
                "scope": scope,
            })  # fmt: skip
    return _parsed(rows)


def _names(host: Object) -> dict[int, str]:
    return {int(one["i"]): str(one["n"]) for one in _list(_get(host, "if")) if isinstance(one, dict) and "i" in one}


def _routes(value: Any, host: Object, notes: list[ParseNote], line: int) -> Parsed:
    rows: list[dict[str, Any]] = []
    names = _names(host)
    for one in value:
        number = 6 if one.get("f") == 10 else 4
        target = _network(one.get("d")) or (("0.0.0.0", 0) if number == 4 else ("::", 0))  # noqa: S104 - a route
        table = int(one.get("tb") or 254)
        rows.append({
            "family": number, "type": _TYPES.get(int(one.get("t") or 1), "unicast"), "dst": f"{target[0]}/{target[1]}",
            "gateway": address(str(one.get("g") or "")), "interface": names.get(int(one.get("o") or 0)),
            "table": _TABLES.get(table, str(table)), "protocol": _PROTOCOLS.get(int(one.get("p") or 0)),
            "scope": _SCOPES.get(int(one.get("sc") or 0)), "prefsrc": address(str(one.get("s") or "")), "metric": one.get("pr") or None,
        })  # fmt: skip
    return _parsed({"routes": rows})


def _rules(value: Any, host: Object, notes: list[ParseNote], line: int) -> Parsed:
    rows: list[dict[str, Any]] = []
    for one in value:
        source, target = _network(one.get("s")), _network(one.get("d"))
        table = int(one.get("tb") or 0)
        mark, mask = int(one.get("m") or 0), int(one.get("ma") or 0)
        rows.append({
            "family": 6 if one.get("f") == 10 else 4, "priority": max(int(one.get("p") or 0), 0), "inverted": False,
            "src": f"{source[0]}/{source[1]}" if source else None, "dst": f"{target[0]}/{target[1]}" if target else None,
            "iif": one.get("i") or None, "oif": one.get("o") or None, "fwmark": mark if mark > 0 else None,
            "fwmask": mask if mark > 0 and mask > 0 else None, "action": "lookup", "table": _TABLES.get(table, str(table)),
        })  # fmt: skip
    return _parsed({"rules": rows})


def _iptables(value: Any, host: Object, notes: list[ParseNote], line: int) -> Parsed:
    from analyzer.parsers.iptables_save import parse

    text = iptables_text(str(value))
    if text is None:
        raise ValueError("no iptables-xml document")
    return parse(text.encode(), "iptables-save")


def _ipset(value: Any, host: Object, notes: list[ParseNote], line: int) -> Parsed:
    from analyzer.parsers.ipset import parse

    if isinstance(value, str):
        text = ipset_text(value)
        if text is None:
            raise ValueError("no document of ipset list -o xml")
        return parse(text.encode(), "ipset-save")
    lines: list[str] = []
    for one in value:
        name, kind = str(one["n"]), str(one["t"])
        members = list(one.get("m") or {})
        six = any(member.count(":") > 2 for member in members) or name.startswith("KUBE-6-")
        lines.append(f"create {name} {kind}" + ("" if kind == "bitmap:port" else f" family inet{'6' if six else ''}"))
        lines += [f"add {name} {member}" for member in members]
    return parse("".join(f"{text}\n" for text in lines).encode(), "ipset-save")


def _ipvs(value: Any, host: Object, notes: list[ParseNote], line: int) -> Parsed:
    from analyzer.parsers.ipvsadm_save import parse

    if isinstance(value, list):
        return parse("".join(f"{text}\n" for text in value).encode(), "ipvsadm-save")
    rows: list[str] = []
    complete = True
    for key, one in value.items():
        option = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}.get(str(one.get("pro", "")).lower())
        if option is None or str(key).startswith("unknown:"):
            notes.append(ParseNote(line, "extra", str(key)[:200], "a virtual server of SCTP or of a firewall mark"))
            complete = False
            continue
        virtual = f"{option} {_endpoint(one['ip'], one['p'])}"
        rows.append(f"-A {virtual} -s {one.get('s') or 'rr'}")
        for real in one.get("r") or ():
            way = "-m" if real.get("m") else "-g"
            rows.append(f"-a {virtual} -r {_endpoint(real['ip'], real['p'])} {way} -w {int(real.get('w') or 0)}")
    parsed = parse("".join(f"{text}\n" for text in rows).encode(), "ipvsadm-save")
    return replace(parsed, complete=parsed.complete and complete)


def _endpoint(host: Any, port: Any) -> str:
    return f"[{host}]:{int(port)}" if ":" in str(host) else f"{host}:{int(port)}"


def _sockets(value: Any, host: Object, notes: list[ParseNote], line: int) -> Parsed:
    rows: list[dict[str, Any]] = []
    for one in value:
        if one.get("st") != 0:
            continue
        protocol = str(one.get("p") or "").lower()
        text = str(one.get("l") or "")
        local = "*" if text in ("::", "") else address(text)
        if protocol not in ("tcp", "udp") or local is None:
            notes.append(ParseNote(line, "unparsed", json.dumps(one)[:200], "no socket"))
            continue
        rows.append({
            "protocol": protocol, "family": None if local == "*" else family(local), "address": local, "port": int(one["lp"]),
            "state": "LISTEN" if protocol == "tcp" else "UNCONN",
        })  # fmt: skip
    return _parsed({"listeners": rows})


def _sysctls(value: Any, host: Object, notes: list[ParseNote], line: int) -> Parsed:
    rows = [
        {"key": str(key).replace("/", "."), "value": " ".join(str(text).split())} for key, text in sorted(value.items())
    ]
    return _parsed({"sysctls": rows})


Reader = Callable[[Any, Object, list[ParseNote], int], Parsed]
_READERS: tuple[tuple[str, Form, Reader], ...] = (
    ("if", ADDRESSES, _interfaces), ("r", ROUTES, _routes), ("ru", RULES, _rules), ("it", IPTABLES, _iptables),
    ("is", IPSET, _ipset), ("vs", IPVS, _ipvs), ("c", SOCKETS, _sockets), ("s", SYSCTL, _sysctls),
)  # fmt: skip
