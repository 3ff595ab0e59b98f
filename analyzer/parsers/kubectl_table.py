"""Tables of kubectl: `kubectl get svc|nodes|pods|endpoints [-A] [-o wide]`, `kubectl get all`.

    NAMESPACE   NAME   TYPE           CLUSTER-IP     EXTERNAL-IP     PORT(S)         AGE
    shop        web    LoadBalancer   203.0.113.10   198.51.100.7    443:30443/TCP   9d

Tables: services, service_ports, endpoints, nodes, pods. A table shows neither target ports nor policies nor port names:
those stay null, which one note says; `facts["quality"]` is "table", so that JSON of the same objects is preferred.

>>> text = b"NAME  TYPE  CLUSTER-IP  EXTERNAL-IP  PORT(S)  AGE\\nweb  NodePort  192.0.2.9  <none>  80:30080/TCP  1d\\n"
>>> print(*parse(text, "svc.txt").tables["service_ports"].loc[0, ["service", "port", "node_port"]])
web 80 30080
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.envelope import lines
from analyzer.parsers.fields import address, family, integer, looks_masked

TABLES = ("services", "service_ports", "endpoints", "nodes", "pods")

# A title of two words could also be read as two titles: tried once only, or a long row takes for ever.
_TITLES = re.compile(
    r"(?:NAMESPACE\s++)?NAME(?:\s++(?>(?:NOMINATED NODE|READINESS GATES|NODE SELECTOR)(?!\S)|[A-Z][A-Z()-]*+))++"
)
_TITLE = re.compile(r"NOMINATED NODE|READINESS GATES|NODE SELECTOR|[A-Z][A-Z()-]*")
_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_NONE = {"<none>", "<pending>", "<unset>", "<unknown>", ""}
_AGO = re.compile(r"(\d) \((\S+) ago\)")
_MORE = re.compile(r"(?<!\s)\s*+\+\s*+\d++ more\.*+|\.\.\.$")
_PORT = re.compile(r"(\d{1,5})(?::(\d{1,5}))?/(TCP|UDP|SCTP)")
_NOTHING = re.compile(r"No resources found(?: in \S+ namespace)?\.?")
_WARNING = re.compile(r"(?:Warning|W\d{4}|I\d{4})[: ].*")
_PHASES = {
    "Running": "Running",
    "Pending": "Pending",
    "Succeeded": "Succeeded",
    "Completed": "Succeeded",
    "Failed": "Failed",
}
_MARKS = {
    "services": {"TYPE", "CLUSTER-IP"}, "nodes": {"STATUS", "ROLES", "VERSION"},
    "pods": {"READY", "STATUS", "RESTARTS"}, "endpoints": {"ENDPOINTS"},
}  # fmt: skip
_BARE_SERVICE = ("NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE")


@dataclass
class _Table:
    """The table that a title row began."""

    kind: str
    titles: tuple[str, ...]


def kind_of(titles: tuple[str, ...]) -> str:
    """Which objects a title row announces; empty for those the analysis does not use."""
    if "ADDRESSTYPE" in titles:
        return ""
    return next((kind for kind, marks in _MARKS.items() if marks <= set(titles)), "")


def split_row(line: str, titles: tuple[str, ...]) -> list[str] | None:
    """The cells of a row; null when their number is wrong, since a shifted cell would be a false fact.

    >>> split_row("web-0  1/1   Running  2 (3h ago)  9d", ("NAME", "READY", "STATUS", "RESTARTS", "AGE"))
    ['web-0', '1/1', 'Running', '2 (3h ago)', '9d']
    """
    cells = re.split(r"\s{2,}", line.strip())
    if len(cells) == len(titles):
        return cells
    joined = _MORE.sub(lambda m: m[0].replace(" ", "\u00a0"), _AGO.sub("\\1\u00a0(\\2\u00a0ago)", line.strip()))
    words = re.split(r"[ \t]+", joined)
    if "OS-IMAGE" in titles and len(words) > len(titles):
        at, behind = titles.index("OS-IMAGE"), len(titles) - titles.index("OS-IMAGE") - 1
        words = [*words[:at], " ".join(words[at : len(words) - behind]), *words[len(words) - behind :]]
    return [word.replace("\u00a0", " ") for word in words] if len(words) == len(titles) else None


def parse(data: bytes, file: str) -> Parsed:
    """Read one capture."""
    envelope = lines(data)
    reader = _Reader(Ledger(file, TABLES))
    for number, raw in envelope.pairs:
        line = raw.strip()
        if not line:
            continue
        if _TITLES.fullmatch(line):
            titles = tuple(_TITLE.findall(line))
            reader.table = _Table(kind_of(titles), titles)
            reader.ledger.furniture(number)
        elif _NOTHING.fullmatch(line) or _WARNING.fullmatch(line):
            reader.ledger.furniture(number)
        else:
            reader.line(number, line)
    reader.close()
    return envelope.close(reader.ledger, facts={"quality": "table"})


class _Reader:
    """Turns rows of the current table into rows of ours; of an object shown twice the last row counts."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.table: _Table | None = None
        self.kept: dict[tuple[str, str, str], list[tuple[str, int, dict[str, Any]]]] = {}
        self.lines: dict[tuple[str, str, str], int] = {}
        self.told: set[str] = set()

    def line(self, number: int, line: str) -> None:
        table = self.table or self._headless(line)
        if table is None:
            self.ledger.note(number, "unparsed", line, "no title row above")
            return
        if not table.kind:
            self.ledger.note(number, "extra", line, "a table the analysis does not use")
            return
        cells = split_row(line, table.titles)
        if cells is None:
            self.ledger.note(number, "unparsed", line, f"not {len(table.titles)} cells")
            return
        row = dict(zip(table.titles, cells, strict=True))
        prefix_, slash, name = row["NAME"].partition("/")
        row["NAME"] = name if slash else prefix_
        key = (table.kind, row.get("NAMESPACE", ""), row["NAME"])
        if key in self.lines:
            self.ledger.row(self.lines[key])
            self.ledger.also(number, "repeated", line, f"also on line {self.lines[key]}, the last one counts")
        self.lines[key] = number
        self.kept[key] = []
        self.ledger.row(number)
        if table.kind not in self.told:
            self.told.add(table.kind)
            self.ledger.also(number, "extra", f"table only ({table.kind})", "what a table cannot show is unknown")
        getattr(self, f"_{table.kind}")(number, row, self.kept[key])

    def close(self) -> None:
        for rows in self.kept.values():
            for table, number, values in rows:
                self.ledger.add(table, number, **values)

    def _headless(self, line: str) -> _Table | None:
        """Rows of Services without a title row, told by the place of the type word."""
        words = line.split()
        at = next((n for n in (1, 2) if n < len(words) and words[n] in _TYPES), None)
        if at is None:
            return None
        titles = (("NAMESPACE",) if at == 2 else ()) + _BARE_SERVICE
        wide = (*titles, "SELECTOR")
        return _Table("services", titles if split_row(line, titles) else wide)

    def _services(self, number: int, row: dict[str, str], out: list[tuple[str, int, dict[str, Any]]]) -> None:
        where = {"namespace": row.get("NAMESPACE"), "name": row["NAME"]}
        kind = row["TYPE"] if row["TYPE"] in _TYPES else None
        external = self._list(number, row.get("EXTERNAL-IP", ""))
        ips = [ip for text in external if (ip := address(text))]
        names = [text for text in external if address(text) is None and not looks_masked(text)]
        balanced = kind == "LoadBalancer"
        if any(looks_masked(text) for text in external):
            self.ledger.also(number, "masked", row["EXTERNAL-IP"])
        cluster = row["CLUSTER-IP"]
        cluster_ips = cluster if cluster == "None" else self._known(number, cluster)
        selector = self._pairs(row.get("SELECTOR", ""))
        out.append(("services", number, {
            **where, "type": kind, "cluster_ips": cluster_ips,
            "external_ips": None if balanced else ",".join(ips) or None,
            "ingress_ips": ",".join(ips) or None if balanced else None,
            "ingress_hostnames": ",".join(names) or None if balanced else None,
            "selector": selector, "labels": self._pairs(row.get("LABELS", "")),
        }))  # fmt: skip
        for text in self._list(number, row.get("PORT(S)", "")):
            match = _PORT.fullmatch(text)
            port = integer(match[1], 65535) if match else None
            if match is None or port is None:
                self.ledger.also(number, "unparsed", text, "not port[:nodePort]/protocol")
                continue
            node_port = integer(match[2], 65535) if match[2] else None
            values = {"namespace": row.get("NAMESPACE"), "service": row["NAME"], "protocol": match[3].lower()}
            out.append(("service_ports", number, {**values, "port": port, "node_port": node_port}))

    def _endpoints(self, number: int, row: dict[str, str], out: list[tuple[str, int, dict[str, Any]]]) -> None:
        for text in self._list(number, row["ENDPOINTS"]):
            host, _, port = text.rpartition(":")
            ip = self._known(number, host or text)
            out.append(("endpoints", number, {
                "namespace": row.get("NAMESPACE"), "service": row["NAME"], "address": ip, "family": family(ip),
                "port": integer(port, 65535) if host else None, "ready": True, "source": "Endpoints",
                "object": row["NAME"],
            }))  # fmt: skip

    def _nodes(self, number: int, row: dict[str, str], out: list[tuple[str, int, dict[str, Any]]]) -> None:
        states = row["STATUS"].split(",")
        ready = True if "Ready" in states else False if "NotReady" in states else None
        out.append(("nodes", number, {
            "name": row["NAME"], "ready": ready, "unschedulable": "SchedulingDisabled" in states,
            "internal_ips": self._known(number, row.get("INTERNAL-IP", "")),
            "external_ips": self._known(number, row.get("EXTERNAL-IP", "")),
            "kubelet_version": self._plain(row["VERSION"]), "kernel": self._plain(row.get("KERNEL-VERSION", "")),
            "labels": self._pairs(row.get("LABELS", "")),
        }))  # fmt: skip

    def _pods(self, number: int, row: dict[str, str], out: list[tuple[str, int, dict[str, Any]]]) -> None:
        status = row["STATUS"]
        ready, _, wanted = row["READY"].partition("/")
        out.append(("pods", number, {
            "namespace": row.get("NAMESPACE"), "name": row["NAME"], "node_name": self._plain(row.get("NODE", "")),
            "ips": self._known(number, row.get("IP", "")), "phase": _PHASES.get(status),
            "ready": ready == wanted if status == "Running" else None, "deleting": status == "Terminating",
            "labels": self._pairs(row.get("LABELS", "")),
        }))  # fmt: skip

    def _plain(self, text: str) -> str | None:
        return None if text in _NONE else text

    def _known(self, number: int, text: str) -> str | None:
        """A single address; masked text is noted."""
        if text in _NONE:
            return None
        known = address(text)
        if known is None:
            self.ledger.also(number, "masked" if looks_masked(text) else "name", text, "not an address")
        return known

    def _list(self, number: int, text: str) -> list[str]:
        """A comma list, cut ones noted."""
        if _MORE.search(text):
            self.ledger.also(number, "cut", text, "the list goes on")
            text = _MORE.sub("", text)
        return [part.strip() for part in text.split(",") if part.strip() not in _NONE]

    def _pairs(self, text: str) -> str | None:
        """`a=b,c=d` as JSON."""
        if text in _NONE:
            return None
        found = dict(part.split("=", 1) for part in sorted(text.split(",")) if "=" in part)
        return msgspec.json.encode(found).decode() if found else None


def sniff(head: Head) -> int:
    """A title row of a kind we know, rows of Services without one, or kubectl's word for nothing."""
    for line in head.lines[:40]:
        text = line.strip()
        if _TITLES.fullmatch(text) and kind_of(tuple(_TITLE.findall(text))):
            return 90
    filled = [line.split() for line in head.lines if line.strip()]
    if filled and all(len(w) > 5 and (w[1] in _TYPES or w[2] in _TYPES) for w in filled):
        return 75
    if len(filled) <= 3 and any(_NOTHING.fullmatch(line.strip()) for line in head.lines):
        return 85
    return 0


FORMS = (
    Form(
        "kubectl-table", "objects", TABLES,
        (r"(?:kubectl|get)[\w.-]*(?:svc|services?|nodes?|pods?|endpoints?|ep|all)\b[\w.-]*\.(?:txt|out|log)$",),
        sniff, parse, 90,
    ),
)  # fmt: skip
