"""The save form of the IPVS table: `ipvsadm-save -n`, `ipvsadm -Sn`, `ipvsadm --save [-n]`.

One command-like line per server (ipvsadm.c, `print_service_and_dests` with FMT_RULE). `-g` is printed for Route and
for Local alike. A file of save lines followed by tables is read by the listing's parser, which merges them.
"""

from __future__ import annotations

import re
from typing import Any

from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import integer
from analyzer.parsers.ipvs_servers import TABLES, Listing, Virtual, endpoint

_LINE = re.compile(r"-[Aa] (?:-[tu]|--tcp-service|--udp-service|--sctp-service|-f|--fwmark-service) \S+(?: .*)?")
_PROTOCOLS = {"-t": "tcp", "--tcp-service": "tcp", "-u": "udp", "--udp-service": "udp", "--sctp-service": "sctp"}
_FORWARDING = {
    "-m": "Masq", "--masquerading": "Masq", "-g": "Route", "--gatewaying": "Route", "-i": "Tunnel", "--ipip": "Tunnel",
}  # fmt: skip
_VALUES = {
    "-s": "scheduler", "--scheduler": "scheduler", "-M": "persistence_mask", "--netmask": "persistence_mask",
    "--pe": "pe", "-b": "scheduler_flags", "--sched-flags": "scheduler_flags", "-r": "real", "--real-server": "real",
}  # fmt: skip
_NUMBERS = {
    "-p": "persistence_s", "--persistent": "persistence_s", "-w": "weight", "--weight": "weight",
    "-x": "upper_threshold", "--u-threshold": "upper_threshold",
    "-y": "lower_threshold", "--l-threshold": "lower_threshold",
}  # fmt: skip
_TUNNEL = ("--tun-type", "--tun-port", "--tun-nocsum", "--tun-csum", "--tun-remcsum")


def sniff(head: Head) -> int:
    """Save lines; a table after them makes it the listing's file."""
    found = sum(bool(_LINE.fullmatch(line.strip())) for line in head.lines)
    if not found:
        return 0
    return 93 if "IP Virtual Server version" not in head.text and "Prot LocalAddress" not in head.text else 60


def read_line(ledger: Ledger, listing: Listing, line: int, text: str, cut: bool) -> None:
    """Read one save line into the listing. `cut` says that the file ends in this line without a line end."""
    tokens = text.split()
    if len(tokens) < 3 or (tokens[1] not in _PROTOCOLS and tokens[1] not in ("-f", "--fwmark-service")):
        ledger.note(line, "cut" if cut else "unparsed", text, "no virtual server")
        return
    values: dict[str, Any]
    if tokens[1] in _PROTOCOLS:
        if cut and len(tokens) == 3:
            ledger.note(line, "cut", text, "the line ends inside its address")
            return
        values = {"protocol": _PROTOCOLS[tokens[1]], **endpoint(ledger, line, tokens[2], text)}
    else:
        mark = integer(tokens[2])
        if mark is None:
            ledger.note(line, "unparsed", text, "no firewall mark")
            return
        values = {"fwmark": mark, "family": 6 if "-6" in tokens[3:] else 4}
    options, extra = _options(tokens[3:])
    if extra:
        ledger.also(line, "extra", text, " ".join(extra)[:100])
    if tokens[0] == "-a":
        _real(ledger, listing, line, text, service=values, options=options, extra=extra, cut=cut)
        return
    known = ("scheduler", "scheduler_flags", "persistence_s", "persistence_mask", "pe")
    values.update((name, options[name]) for name in known if name in options)
    values["ops"] = "ops" in options
    values["extra"] = " ".join(filter(None, [values.get("extra"), *extra])) or None
    if cut and "scheduler" not in options:
        ledger.also(line, "cut", text, "the line ends before its scheduler")
    listing.virtuals.append(Virtual(line, values))
    ledger.row(line)


def _real(
    ledger: Ledger,
    listing: Listing,
    line: int,
    text: str,
    *,
    service: dict[str, Any],
    options: dict[str, Any],
    extra: list[str],
    cut: bool,
) -> None:
    """Add a real server to its virtual server, which is nearly always the one above."""
    if "real" not in options or (cut and not set(options) & {"forwarding", "weight"}):
        ledger.note(line, "cut" if cut else "unparsed", text, "no real server")
        return
    wanted = Virtual(0, service)
    owner = listing.virtuals[-1] if listing.virtuals else None
    if owner is None or not _same(owner, wanted):
        owner = next((virtual for virtual in listing.virtuals if _same(virtual, wanted)), None)
    if owner is None:
        # Its -A is missing: the virtual server is known from this line alone, scheduler unknown.
        owner = Virtual(line, {**service, "ops": None})
        listing.virtuals.append(owner)
        ledger.also(line, "cut", text, "its virtual server is not in the file")
    if cut and "weight" not in options:
        ledger.also(line, "cut", text, "the line ends before its weight")
    values = endpoint(ledger, line, str(options["real"]), text)
    for name in ("forwarding", "weight", "upper_threshold", "lower_threshold", "tunnel"):
        if name in options:
            values[name] = options[name]
    values["extra"] = " ".join(filter(None, [values.get("extra"), *extra])) or None
    owner.reals.append((line, values))
    ledger.row(line)


def _same(one: Virtual, other: Virtual) -> bool:
    """The same identity; for names and masks the same text (equal masks in neighbouring lines are one server)."""
    if one.key is not None or other.key is not None:
        return one.key == other.key
    columns = ("protocol", "address", "port")
    if any(one.values.get(name) != other.values.get(name) for name in columns):
        return False
    return str(one.values.get("extra", "")).split(" ")[0] == str(other.values.get("extra", "")).split(" ")[0]


def _options(tokens: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Known options, and the words that are none."""
    options: dict[str, Any] = {}
    extra: list[str] = []
    index = 0
    while index < len(tokens):
        word = tokens[index]
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        if word in _VALUES and following:
            options[_VALUES[word]] = following
            index += 1
        elif word in _NUMBERS and (number := integer(following)) is not None:
            options[_NUMBERS[word]] = number
            index += 1
        elif word in _FORWARDING:
            options["forwarding"] = _FORWARDING[word]
        elif word in ("-o", "--ops", "ops"):  # an old source writes the bare word
            options["ops"] = True
        elif word == "-6":
            pass
        elif word in _TUNNEL:
            takes_value = word in ("--tun-type", "--tun-port") and following
            shown = f"{word} {following}" if takes_value else word
            options["tunnel"] = " ".join(filter(None, [options.get("tunnel"), shown]))
            index += bool(takes_value)
        else:
            extra.append(word)
        index += 1
    return options, extra


def parse(data: bytes, file: str) -> Parsed:
    """Read save lines, and tables after them."""
    from analyzer.parsers import ipvsadm_list  # the listing's reader knows both

    return ipvsadm_list.parse(data, file)


FORMS = (
    Form(
        name="ipvsadm-save",
        capture="ipvsadm",
        tables=TABLES,
        names=(r"ipvsadm[-_]*s(?:ave)?[-_n]*", r"ipvsadm.*save"),
        sniff=sniff,
        parse=parse,
        most=93,
    ),
)
