"""The rule set of nftables as text: `nft list ruleset`, `nft list table ip kube-proxy`.

Said is which tables, chains, sets and maps exist, with each of their lines as text; `nft_rule` reads what a line does::

    table ip kube-proxy {
            map service-ips {
                    type ipv4_addr . inet_proto . inet_service : verdict
            }
            chain services {
                    ip daddr . meta l4proto . th dport vmap @service-ips
            }
    }

Table: nft_objects, one row per object (``kind`` chain, map, set ...) and one per line in it (``kind`` rule).

>>> parsed = parse(b"table ip t {\\n\\tchain c {\\n\\t\\tdrop\\n\\t}\\n}\\n", "nft-list-ruleset.txt")
>>> parsed.tables["nft_objects"][["kind", "name", "text"]].fillna("").values.tolist()
[['chain', 'c', ''], ['rule', 'c', 'drop']]
"""

from __future__ import annotations

import re

from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.envelope import lines

_TABLE = re.compile(r"table (?:(ip6?|inet|arp|bridge|netdev) )?(\S{1,256}) \{(?:\s*#.*)?")
_OBJECT = re.compile(
    r"(chain|map|set|flowtable|counter|quota|limit|secmark|synproxy|ct helper|ct timeout|ct expectation) (\S{1,256}) \{(?:\s*#.*)?"
)
_WHOLE = re.compile(r"(counter|quota|limit|secmark|synproxy) (\S{1,256}) \{ .{0,4000} \}")
_FAMILY = {"": 4, "ip": 4, "ip6": 6}


def sniff(head: Head) -> int:
    """A table that opens a brace, and inside it objects of nftables."""
    filled = [line.strip() for line in head.lines if line.strip() and not line.lstrip().startswith("#")]
    if not filled or not _TABLE.fullmatch(filled[0]):
        return 0
    return 90 if len(filled) > 1 else 60


def parse(data: bytes, file: str) -> Parsed:
    """Read one capture. A listing that ends inside a table was cut."""
    opened = lines(data)
    ledger = Ledger(file, ("nft_objects",))
    table: tuple[str, str] | None = None
    kind = name = ""
    depth = 0  # braces open inside the object, for element lists over several lines
    last = tables = 0
    for number, raw in opened.pairs:
        line = raw.strip()
        if not line:
            continue
        last = number
        if line.startswith("#"):
            ledger.furniture(number)
        elif table is None:
            match = _TABLE.fullmatch(line)
            if match is None:
                ledger.note(number, "unparsed", raw)
                continue
            table = (match[1] or "ip", match[2])
            tables += 1
            ledger.furniture(number)
        elif not kind:
            table, kind, name = _in_table(ledger, number, line, table)
        elif line == "}" and depth == 0:
            ledger.furniture(number)
            kind = name = ""
        else:
            depth = max(depth + _braces(line), 0)
            _add(ledger, number, table, "rule", name, line)
    if table is not None:
        ledger.also(last, "cut", "", "the listing ends inside a table")
    return opened.close(ledger, state="failed" if last and not tables else None)


def _in_table(
    ledger: Ledger, number: int, line: str, table: tuple[str, str]
) -> tuple[tuple[str, str] | None, str, str]:
    """A line between objects: the end of the table, an object, or a property of the table (comment, flags)."""
    if line == "}":
        ledger.furniture(number)
        return None, "", ""
    if match := _OBJECT.fullmatch(line):
        _add(ledger, number, table, match[1], match[2], None)
        return table, match[1], match[2]
    if match := _WHOLE.fullmatch(line):
        _add(ledger, number, table, match[1], match[2], line)
    elif line.startswith(("comment ", "flags ")):
        ledger.furniture(number)
    else:
        ledger.note(number, "unparsed", line)
    return table, "", ""


def _add(ledger: Ledger, number: int, table: tuple[str, str], kind: str, name: str, text: str | None) -> None:
    family, title = table
    ledger.add("nft_objects", number, family=_FAMILY.get(family), nft_family=family, nft_table=title, kind=kind, name=name,
               text=text)  # fmt: skip


def _braces(line: str) -> int:
    """Braces opened minus braces closed, quoted text left out."""
    bare = "".join(line.split('"')[::2])
    return bare.count("{") - bare.count("}")


FORMS = (
    Form(
        "nft-ruleset",
        "nft",
        ("nft_objects",),
        (r"nft[-_.]?list|nft[-_.]?ruleset|nftables[-_.]?rules?",),
        sniff,
        parse,
        90,
    ),
)
