"""Netfilter rules as a table: `iptables [-t nat] -nvL`, `-nL`, with or without `-n` and `-v`.

    Chain KUBE-SERVICES (2 references)
     pkts bytes target   prot opt in   out    source         destination
       12   720 RETURN   0    --  *    !eth9  10.20.0.0/16   0.0.0.0/0     match-set KUBE-CLUSTER-IP dst,dst

Each row becomes text as `iptables-save` would print it where that is certain; anything else in its last column is kept
as `-m unknown-text --text "..."`, which `iptables_rule` reports as not understood, and noted.
Tables: iptables_chains, iptables_rules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.envelope import lines
from analyzer.parsers.fields import integer, prefix
from analyzer.parsers.iptables_save import TABLES, rule_fields

_CHAIN = re.compile(
    r"Chain (\S+) \((?:policy (\S+)(?: (\d+[KMGTP]?) packets, (\d+[KMGTP]?) bytes)?|(-?\d+) references)\)"
)
_TITLE = re.compile(r"(?:num\s+)?(?:pkts\s+bytes\s+)?target\s+prot\s+opt\s+(?:in\s+out\s+)?source\s+destination")
_OPT = re.compile(r"\s(--|-f|!f)\s")
_COUNTER = re.compile(r"(\d{1,19})([KMGTP]?)")
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}  # iptables divides by thousands
_NUMBERS = {"0": "all", "6": "tcp", "17": "udp", "132": "sctp", "1": "icmp", "58": "icmpv6"}
_TABLE_NAME = re.compile(r"(?:^|\s)-t\s*(nat|filter|mangle|raw|security)\b|[-_.](nat|filter|mangle|raw|security)[-_.]")

_LONGEST = 4096  # no rule's last column is longer; keeps the search for pieces short
# The last column, piece by piece: pattern -> save-like text.
_Reader = Callable[[re.Match[str]], str]
_PIECES: tuple[tuple[re.Pattern[str], _Reader], ...] = tuple(
    (re.compile(pattern), reader)
    for pattern, reader in (
        (r"/\* (.*?) \*/", lambda m: f"-m comment --comment {_quoted(m[1])}"),
        (r"(! )?match-set (\S+) ([a-z]+(?:,[a-z]+)*)", lambda m: f"-m set {m[1] or ''}--match-set {m[2]} {m[3]}"),
        (r"(connmark|mark) match (! ?)?(0x[0-9a-f]+(?:/0x[0-9a-f]+)?)",
         lambda m: f"-m {m[1]} {_not(m[2])}--mark {m[3]}"),
        (r"(!)?ctstate (\S+)", lambda m: f"-m conntrack {_not(m[1])}--ctstate {m[2]}"),
        (r"(!)?ctdir (ORIGINAL|REPLY)", lambda m: f"-m conntrack {_not(m[1])}--ctdir {m[2]}"),
        (r"state ([A-Z,]+)", lambda m: f"-m state --state {m[1]}"),
        (r"ADDRTYPE match((?: (?:src|dst)-type !?[A-Z,]+)+)", lambda m: f"-m addrtype{_types(m[1])}"),
        (r"(tcp|udp|sctp)((?: [sd]pts?:!?[\w:-]+)+)", lambda m: f"-m {m[1]}{_ports(m[2])}"),
        (r"multiport (ports|sports|dports) (! ?)?([\w,:-]+)", lambda m: f"-m multiport {_not(m[2])}--{m[1]} {m[3]}"),
        (r"statistic mode random probability ([0-9.]+)",
         lambda m: f"-m statistic --mode random --probability {m[1]}"),
        (r"limit: avg (\S+) burst (\d+)", lambda m: f"-m limit --limit {m[1]} --limit-burst {m[2]}"),
        (r"icmptype (\d+)", lambda m: f"-m icmp --icmp-type {m[1]}"),
        (r"ipv6-icmptype (\d+)", lambda m: f"-m icmp6 --icmpv6-type {m[1]}"),
        (r"vaddr (\S+)", lambda m: f"-m ipvs --vaddr {m[1]}"),
        (r"ipvs", lambda m: "-m ipvs --ipvs"),
    )
)  # fmt: skip
_TARGET_PIECES: tuple[tuple[re.Pattern[str], _Reader], ...] = tuple(
    (re.compile(pattern), reader)
    for pattern, reader in (
        (r"(?:CONN)?MARK (and|or|xor) (0x[0-9a-f]+)", lambda m: f"--{m[1]}-mark {m[2]}"),
        (r"(?:CONN)?MARK (set|xset) (0x[0-9a-f]+(?:/0x[0-9a-f]+)?)",
         lambda m: f"--set-{'x' if m[1] == 'xset' else ''}mark {m[2]}"),
        (r"to:(\S+)", lambda m: f"--to {m[1]}"),
        (r"reject-with (\S+)", lambda m: f"--reject-with {m[1]}"),
        (r"redir ports (\S+)", lambda m: f"--to-ports {m[1]}"),
        (r"masq ports: (\S+)", lambda m: f"--to-ports {m[1]}"),
        (r"(random-fully|random|persistent)", lambda m: f"--{m[1]}"),
    )
)  # fmt: skip


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _not(mark: str | None) -> str:
    return "! " if mark else ""


def _types(text: str) -> str:
    return "".join(
        f" {_not(bang)}--{side}-type {value}" for side, bang, value in re.findall(r"(src|dst)-type (!?)(\S+)", text)
    )


def _ports(text: str) -> str:
    return "".join(
        f" {_not(bang)}--{side}port {value}" for side, bang, value in re.findall(r"([sd])pts?:(!?)(\S+)", text)
    )


def _counter(text: str) -> int | None:
    match = _COUNTER.fullmatch(text)
    return integer(str(int(match[1]) * _UNITS[match[2]])) if match else None


def parse(data: bytes, file: str) -> Parsed:
    """Read one capture."""
    envelope = lines(data)
    ledger = Ledger(file, TABLES)
    found = _TABLE_NAME.search(f"{envelope.facts.get('command', '')} {file.rpartition('/')[2].lower()}")
    named = found is not None or "tables" in envelope.facts.get("command", "")
    table = (found[1] or found[2]) if found else "filter" if named else None
    text = "\n".join(line for _, line in envelope.pairs)
    family = 6 if "ip6" in file.rpartition("/")[2].lower() or "::/0" in text else 4
    chain = ""
    titles: list[str] = []
    positions: Counter[str] = Counter()
    if not named and envelope.pairs:
        ledger.also(envelope.pairs[0][0], "assumed", "table unknown", "neither command nor name tells the table")
    for number, line in envelope.pairs:
        if match := _CHAIN.fullmatch(line.strip()):
            chain, policy, packets, octets, _ = match.groups()
            ledger.add(
                "iptables_chains", number, family=family, table=table, chain=chain, policy=policy,
                packets=_counter(packets or ""), bytes=_counter(octets or ""),
            )  # fmt: skip
        elif _TITLE.fullmatch(line.strip()):
            titles = line.split()
            ledger.furniture(number)
        elif line.strip() and chain and titles and (row := _row(line, titles)):
            positions[chain] += 1
            left = row.pop("left")
            ledger.add(
                "iptables_rules", number, family=family, table=table, chain=chain, position=positions[chain], **row
            )
            if left:
                ledger.also(number, "extra", left, "not translated to a match")
            if row["corrupt"]:
                ledger.also(number, "corrupt", line.strip(), "printed by a tool of another variant or version")
    return envelope.close(ledger)


def _row(line: str, titles: list[str]) -> dict[str, Any] | None:
    """One rule; the opt column tells whether the target column is empty. Null when the line is no rule."""
    opt = _OPT.search(f" {line}")
    if opt is None:
        return None
    before, after = f" {line}"[: opt.start()].split(), f" {line}"[opt.end() :]
    lead = titles.index("target")
    head, rest = before[:lead], before[lead:]
    if len(before) < lead + 1 or len(rest) > 2:
        return None
    target, protocol = (rest[0], rest[1]) if len(rest) == 2 else (None, rest[0])
    columns = 4 if "in" in titles else 2
    cells = after.split(None, columns)
    if len(cells) < columns:
        return None
    device_in, device_out = (cells[0], cells[1]) if columns == 4 else ("*", "*")
    source, destination, note = cells[columns - 2], cells[columns - 1], cells[columns] if len(cells) > columns else ""
    parts = [
        _address("-s", source), _address("-d", destination), _plain("-i", device_in), _plain("-o", device_out),
        _plain("-p", _NUMBERS.get(protocol.lstrip("!"), protocol.lstrip("!")), inverted=protocol.startswith("!")),
    ]  # fmt: skip
    if opt[1] != "--":
        parts.append("! -f" if opt[1] == "!f" else "-f")
    matches, options, goto, left = _extra(note.strip(), target)
    parts += matches
    if left:
        parts.append(f"-m unknown-text --text {_quoted(left)}")
    if target:
        parts += ["-g" if goto else "-j", target, *options]
    text = " ".join(part for part in parts if part)
    counts = dict(zip(titles[:lead], head, strict=True))
    return {
        **rule_fields(text), "packets": _counter(counts.get("pkts", "")), "bytes": _counter(counts.get("bytes", "")),
        "left": left,
    }  # fmt: skip


def _address(option: str, text: str) -> str:
    bare = text.lstrip("!")
    if bare in ("0.0.0.0/0", "::/0", "anywhere"):
        return ""
    return f"{'! ' if text.startswith('!') else ''}{option} {prefix(bare) or bare}"


def _plain(option: str, text: str, *, inverted: bool = False) -> str:
    bare = text.lstrip("!")
    if bare in ("*", "any", "all", "0", ""):
        return ""
    return f"{'! ' if inverted or text.startswith('!') else ''}{option} {bare}"


def _extra(text: str, target: str | None) -> tuple[list[str], list[str], bool, str]:
    """Matches, target options, goto, and the text that is none of them."""
    matches: list[str] = []
    options: list[str] = []
    left: list[str] = []
    goto = False
    if len(text) > _LONGEST:
        return matches, options, goto, text
    while text:
        for pieces, into in ((_PIECES, matches), (_TARGET_PIECES, options)):
            hit = next(((m, read) for pattern, read in pieces if (m := _at_word(pattern, text))), None)
            if hit:
                piece = hit[1](hit[0])
                if piece.startswith("--to ") and target in ("DNAT", "SNAT"):
                    piece = piece.replace("--to", "--to-destination" if target == "DNAT" else "--to-source", 1)
                into.append(piece)
                text = text[hit[0].end() :].lstrip()
                break
        else:
            if _at_word(re.compile(r"\[goto\]"), text):
                goto, text = True, text[6:].lstrip()
                continue
            word, _, text = text.partition(" ")
            left.append(word)
            text = text.lstrip()
    return matches, options, goto, " ".join(left)


def _at_word(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """A match at the beginning that ends at a blank or at the end."""
    match = pattern.match(text)
    return match if match and (match.end() == len(text) or text[match.end()].isspace()) else None


def _sniff(head: Head, family: int) -> int:
    if "Chain " not in head.text:
        return 0
    chains = any(_CHAIN.fullmatch(line.strip()) for line in head.lines)
    titles = any(_TITLE.fullmatch(line.strip()) for line in head.lines)
    six = "ip6" in head.name or "::/0" in head.text
    return 90 if chains and titles and (family == 6) == six else 0


def sniff4(head: Head) -> int:
    """`Chain ...` with the column titles, IPv4."""
    return _sniff(head, 4)


def sniff6(head: Head) -> int:
    """The same for IPv6."""
    return _sniff(head, 6)


FORMS = (
    Form("iptables-list", "iptables", TABLES, (r"(?<!6)iptables[\w.-]*-n?v?l\b",), sniff4, parse, 90),
    Form("ip6tables-list", "ip6tables", TABLES, (r"ip6tables[\w.-]*-n?v?l\b",), sniff6, parse, 90),
)
