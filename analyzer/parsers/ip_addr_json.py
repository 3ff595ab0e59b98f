"""`ip -j addr` and `ip -j link` (iproute2 ip/ipaddress.c, since 4.13).

One array of interfaces. `link_index` stands for `@ifN`, `link` for the parent's name; a filter leaves empty objects in
the place of skipped interfaces.

>>> parse(b'[{},{"ifname":"eth0","addr_info":[{"family":"inet","local":"192.0.2.1","prefixlen":24}]}]', "").complete
False
"""

from __future__ import annotations

from typing import Any

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import address, family, looks_masked
from analyzer.parsers.ip_addr import ADDRESS_FLAGS, INTERFACE_TABLES, flag_text
from analyzer.parsers.json_items import account, arrays, numbered, objects, whole, word, words


def _is_array(head: Head) -> bool:
    return head.text.lstrip()[:1] == "["


def sniff(head: Head) -> int:
    """An array whose objects have `ifname` and, for addresses, `addr_info`."""
    if not _is_array(head) or '"ifname"' not in head.text:
        return 0
    return 95 if '"addr_info"' in head.text else 50


def sniff_link(head: Head) -> int:
    """The same without `addr_info`."""
    return 94 if _is_array(head) and '"ifname"' in head.text and '"addr_info"' not in head.text else 0


def _peer(item: dict[str, Any]) -> str | None:
    index = whole(item.get("link_index"))
    if index is not None:
        return f"if{index}" if index else "NONE"
    if "link" in item:
        return word(item["link"]) or "NONE"
    return None


def _interface(item: dict[str, Any]) -> dict[str, Any]:
    info = item.get("linkinfo")
    lladdr = word(item.get("address"))
    return {
        "interface": word(item.get("ifname")),
        "ifindex": whole(item.get("ifindex")),
        "flags": ",".join(words(item.get("flags"))) or None,
        "state": (word(item.get("operstate")) or "").upper() or None,
        "mtu": whole(item.get("mtu")),
        "kind": word(info.get("info_kind")) if isinstance(info, dict) else None,
        "master": word(item.get("master")),
        "peer": _peer(item),
        "lladdr": lladdr.lower() if lladdr else None,
    }


def _address(ledger: Ledger, line: int, interface: dict[str, Any], item: dict[str, Any]) -> None:
    text = word(item.get("local")) or ""
    six = item.get("family") == "inet6"
    local = address(text)
    if local is None or family(local) != (6 if six else 4):
        local = None
        ledger.also(line, "masked" if looks_masked(text) else "unparsed", text, "address")
    length = whole(item.get("prefixlen"))
    bits = 128 if six else 32
    ledger.add(
        "addresses",
        line,
        interface=interface["interface"],
        ifindex=interface["ifindex"],
        family=6 if six else 4,
        address=local,
        prefix_len=bits if "address" in item else length if length is not None and length <= bits else None,
        scope=word(item.get("scope")),
        broadcast=address(word(item.get("broadcast")) or ""),
        label=word(item.get("label")),
        flags=flag_text([flag for flag in ADDRESS_FLAGS if item.get(flag) is True]),
    )


def _parse(data: bytes, file: str, tables: tuple[str, ...]) -> Parsed:
    opened = envelope.lines(data)
    ledger = Ledger(file, tables)
    # Furniture was taken off: keep its place, so that the decoder's lines stay those of the file.
    found, why = arrays(numbered(opened))
    listed = skipped = 0
    for line, item in found:
        if not isinstance(item, dict) or not word(item.get("ifname")):
            skipped += 1
            if item != {}:
                ledger.also(line, "unparsed", str(item)[:200], "no interface")
            continue
        listed += 1
        interface = _interface(item)
        ledger.add("interfaces", line, **interface)
        if "addresses" in tables:
            for entry in objects(item.get("addr_info")):
                if entry.get("family") in ("inet", "inet6"):
                    _address(ledger, line, interface, entry)
    account(ledger, opened, why, bool(listed))
    complete = not skipped and not why and any(isinstance(i, dict) and i.get("ifname") == "lo" for _, i in found)
    failed = bool(why) and not listed
    return opened.close(ledger, complete=complete, state="failed" if failed else None, detail=why)


def parse(data: bytes, file: str) -> Parsed:
    """Read `ip -j addr`."""
    return _parse(data, file, INTERFACE_TABLES)


def parse_link(data: bytes, file: str) -> Parsed:
    """Read `ip -j link`: interfaces only."""
    return _parse(data, file, ("interfaces",))


FORMS = (
    Form("ip-addr-json", "ip-addr", INTERFACE_TABLES, (r"ip[-_].*addr.*\.json",), sniff, parse),
    Form("ip-link-json", "ip-link", ("interfaces",), (r"ip[-_].*link.*\.json",), sniff_link, parse_link),
)
