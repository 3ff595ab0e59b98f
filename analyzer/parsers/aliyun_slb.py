"""Load balancers of Alibaba Cloud as its own API describes them: `aliyun slb Describe*`, `aliyun nlb List*|Get*`.

    {"LoadBalancerId": "lb-demo", "Address": "192.0.2.200", "ListenerPorts": {"ListenerPort": [80, 443]}}

Tables: load_balancers, lb_listeners, lb_backends, lb_health. Which document it is, its fields tell. CLB wraps lists
twice (`X.X[]`), NLB once; a missing list may be absent, `{}` or `""`; numbers may be text. An id that a document does
not hold is taken from the file name (`DescribeHealthStatus-lb-demo.json`). A listener may appear in two documents (with
its status in one only): both rows stay, told apart by `file`.

>>> text = b'{"LoadBalancerId": "lb-1", "VServerGroupId": "rsp-1", "BackendServers": {"X": [{"Port": "80"}]}}'
>>> print(*parse(text, "x.json").tables["lb_backends"].loc[0, ["server_group", "lb_id", "port"]])
rsp-1 lb-1 80
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from analyzer.parsers import frames
from analyzer.parsers.base import Form, Head, Parsed, ParseNote, Reason
from analyzer.parsers.byte_account import ByteAccount
from analyzer.parsers.fields import address, integer
from analyzer.parsers.json_pieces import REFUSED, SPACE, Pieces, without_lone_surrogates
from analyzer.tables import TABLES as SCHEMAS

TABLES = ("load_balancers", "lb_listeners", "lb_backends", "lb_health")

_LB_ID = re.compile(r"\b((?:lb|nlb)-[A-Za-z0-9]+)")
_GROUP_ID = re.compile(r"\b((?:rsp|sgp)-[A-Za-z0-9]+)")
_LISTENER_DOC = re.compile(r"loadbalancer(tcp|udp|https?|HTTPS?)listenerattribute", re.IGNORECASE)
_RANGE = re.compile(r"\.(\d+)_(\d+)\.")
_HEALTH = {"normal": "normal", "healthy": "normal", "abnormal": "abnormal", "unhealthy": "abnormal"}
_ON = {"on": True, "true": True, "off": False, "false": False}
Raw = msgspec.Raw
Doc = dict[str, Raw]


def _value(raw: Raw | None) -> Any:
    """The decoded value; null when absent or not readable."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except REFUSED:
        return None


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "" else None


def _lower(value: Any) -> str | None:
    text = _text(value)
    return text.lower() if text else None


def _number(value: Any) -> int | None:
    """A number, also as text; null for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    return integer(value.strip()) if isinstance(value, str) else None


def _switch(value: Any) -> bool | None:
    return value if isinstance(value, bool) else _ON.get(value.lower()) if isinstance(value, str) else None


def _list(raw: Raw | None) -> list[Raw]:
    """The items of `[...]` or of `{"X": [...]}`; none for `{}`, `""`, null."""
    for kind in (list[Raw], dict[str, list[Raw]]):
        try:
            found: Any = msgspec.json.decode(raw or b"null", type=kind)
        except REFUSED:
            continue
        return found if isinstance(found, list) else [item for items in found.values() for item in items]
    return []


class _Reader:
    """Reads the documents of one file."""

    def __init__(self, data: bytes, file: str) -> None:
        self.data, self.file = data, file
        self.account = ByteAccount(data)
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.notes: list[ParseNote] = []
        name = file.rpartition("/")[2]
        self.lb_in_name = match[1] if (match := _LB_ID.search(name)) else None
        self.group_in_name = match[1] if (match := _GROUP_ID.search(name)) else None
        self.protocol_in_name = match[1].lower() if (match := _LISTENER_DOC.search(name)) else None
        self.documents = 0

    def note(self, line: int, reason: Reason, text: str, detail: str = "", *, once: bool = False) -> None:
        if not (once and any(note.reason == reason and note.text == text for note in self.notes)):
            self.notes.append(ParseNote(line, reason, text[:200], detail))

    def document(self, start: int, end: int) -> None:
        """One answer of the API."""
        view = memoryview(self.data)[start:end]
        doc = msgspec.json.decode(view, type=Doc)
        self.base = _place(view) - start
        self.from_, self.first = start, self.account.line(start)
        known = self._read(doc)
        line = self.account.span(start, end, "row" if known else "note")
        self.documents += known
        if not known:
            error = _value(doc.get("Message")) if "Code" in doc else None
            if error is not None:
                self.note(line, "error-text", f"{_value(doc['Code'])}: {error}")
            else:
                self.note(line, "extra", ", ".join(sorted(doc))[:200], "a document the analysis does not use")

    def _items(self, raw: Raw | None) -> Iterator[tuple[dict[str, Any], int]]:
        """Items with the line each starts on."""
        for item in _list(raw):
            place = _place(item) - self.base if memoryview(item) else self.from_
            line = self.first + self.data.count(b"\n", self.from_, place)
            value = _value(item)
            if isinstance(value, dict):
                yield value, line
            else:
                self.note(line, "unparsed", str(value)[:100], "an object was expected")

    def _read(self, doc: Doc) -> bool:
        """Give the document to the reader of its kind; false when there is none."""
        lb_id = _text(_value(doc.get("LoadBalancerId")))
        group = _text(_value(doc.get("VServerGroupId")))
        if "LoadBalancers" in doc:
            for item, line in self._items(doc["LoadBalancers"]):
                self._load_balancer(item, line)
        elif "Listeners" in doc:
            for item, line in self._items(doc["Listeners"]):
                self._listener(item, line)
        elif "ListenerHealthStatus" in doc:
            for item, line in self._items(doc["ListenerHealthStatus"]):
                self._nlb_health(item, line)
        elif "Servers" in doc:
            for item, line in self._items(doc["Servers"]):
                self._backend(item, line, _text(item.get("ServerGroupId")) or self.group_in_name, None, None)
        elif "VServerGroups" in doc or "ServerGroups" in doc:
            self.note(
                self.first, "extra", "server groups", "names only, their servers are in other documents", once=True
            )
        elif group or ("BackendServers" in doc and self.group_in_name):
            name = _text(_value(doc.get("VServerGroupName")))
            for item, line in self._items(doc.get("BackendServers")):
                self._backend(item, line, group or self.group_in_name, name, lb_id)
        elif "ListenerPort" in doc or "ListenerId" in doc:
            item = {key: _value(raw) for key, raw in doc.items()}
            self._listener(
                {"LoadBalancerId": self.lb_in_name, "ListenerProtocol": self.protocol_in_name, **item}, self.first
            )
        elif lb_id or "ListenerPorts" in doc or "ListenerPortsAndProtocol" in doc:
            self._attribute(doc, lb_id or self.lb_in_name)
        elif "BackendServers" in doc:
            for item, line in self._items(doc["BackendServers"]):
                self._health(item, line)
        else:
            return False
        return True

    def _add(self, table: str, line: int, **values: Any) -> None:
        self.rows[table].append({**values, "file": self.file, "line": line})

    def _load_balancer(self, item: dict[str, Any], line: int) -> None:
        mappings = item.get("ZoneMappings")
        nlb = isinstance(mappings, list) or "DNSName" in item
        ips = [item.get("Address")]
        if nlb:
            ips = [
                _text(one.get("PublicIPv4Address")) or one.get("PrivateIPv4Address")
                for zone in mappings or () if isinstance(zone, dict)
                for one in zone.get("LoadBalancerAddresses") or () if isinstance(one, dict)
            ]  # fmt: skip
        found = [ip for text in ips if isinstance(text, str) and (ip := address(text))]
        if len(found) > 1:
            self.note(line, "extra", ", ".join(found), "one address per zone; only the DNS name identifies them all")
        tags = item.get("Tags")
        listed = tags.get("Tag") if isinstance(tags, dict) else tags
        named = {
            str(tag.get("TagKey", tag.get("Key", ""))): str(tag.get("TagValue", tag.get("Value", "")))
            for tag in (listed if isinstance(listed, list) else ()) if isinstance(tag, dict)
        }  # fmt: skip
        self._add(
            "load_balancers", line, provider="aliyun-nlb" if nlb else "aliyun-clb",
            id=_text(item.get("LoadBalancerId")), name=_text(item.get("LoadBalancerName")),
            address=found[0] if len(found) == 1 else None,
            dns_name=_text(item.get("DNSName")), address_type=_lower(item.get("AddressType")),
            status=_lower(item.get("LoadBalancerStatus")), vpc=_text(item.get("VpcId")),
            spec=_text(item.get("LoadBalancerSpec")),
            tags=msgspec.json.encode(dict(sorted(named.items()))).decode() if named else None,
        )  # fmt: skip

    def _attribute(self, doc: Doc, lb_id: str | None) -> None:
        """DescribeLoadBalancerAttribute: the balancer, its listener ports (no status) and its default group."""
        whole = {key: _value(raw) for key, raw in doc.items()}
        self._load_balancer({**whole, "LoadBalancerId": lb_id}, self.first)
        seen = set()
        # The second spelling is the API's own old one; both lists hold the same listeners.
        for key in ("ListenerPortsAndProtocol", "ListenerPortsAndProtocal"):
            for item, line in self._items(doc.get(key)):
                protocol = item.get("ListenerProtocol", item.get("ListenerProtocal"))
                if (item.get("ListenerPort"), protocol) not in seen:
                    seen.add((item.get("ListenerPort"), protocol))
                    self._listener({**item, "LoadBalancerId": lb_id, "ListenerProtocol": protocol}, line)
        for raw in _list(doc.get("ListenerPorts")):
            port = _value(raw)
            if _number(port) is not None and _number(port) not in {_number(port_) for port_, _ in seen}:
                self._listener({"ListenerPort": port, "LoadBalancerId": lb_id}, self.first)
        for item, line in self._items(doc.get("BackendServers")):
            self._backend(item, line, None, None, lb_id)

    def _listener(self, item: dict[str, Any], line: int) -> None:
        config: dict[str, Any] = next(
            (v for key, v in item.items() if key.endswith("ListenerConfig") and isinstance(v, dict)), {}
        )
        both = {**config, **item}
        start, end = _number(item.get("StartPort")), _number(item.get("EndPort"))
        port = _number(item.get("ListenerPort"))
        description = _text(item.get("Description")) or _text(item.get("ListenerDescription"))
        if not start and not port and (match := _RANGE.search(description or "")):
            start, end = int(match[1]), int(match[2])
        port = start or port
        proxy = [_switch(both.get(key)) for key in ("ProxyProtocolV2Enabled", "ProxyProtocolEnabled")]
        group = next(
            (g for k in ("VServerGroupId", "MasterSlaveServerGroupId", "ServerGroupId") if (g := _text(item.get(k)))),
            None,
        )
        forward = _number(both.get("ForwardPort")) or None
        self._add(
            "lb_listeners", line, lb_id=_text(item.get("LoadBalancerId")) or self.lb_in_name, port=port,
            port_end=end or port, protocol=_lower(item.get("ListenerProtocol")) or self.protocol_in_name,
            status=_lower(item.get("Status")) or _lower(item.get("ListenerStatus")), server_group=group,
            backend_port=_number(item.get("BackendServerPort")), scheduler=_lower(item.get("Scheduler")),
            description=description, acl_status=_lower(item.get("AclStatus")), acl_type=_lower(item.get("AclType")),
            acl_id=_text(item.get("AclId")), forward_port=None if both.get("ListenerForward") == "off" else forward,
            proxy_protocol=next((p for p in proxy if p is not None), None),
            full_nat=_switch(both.get("FullNatEnabled")), persistence_s=_number(both.get("PersistenceTimeout")),
        )  # fmt: skip

    def _backend(self, item: dict[str, Any], line: int, group: str | None, name: str | None, lb: str | None) -> None:
        self._add(
            "lb_backends", line, server_group=group, group_name=name or _text(item.get("ServerGroupName")),
            lb_id=lb, server_id=_text(item.get("ServerId")), server_ip=self._ip(item, line),
            port=_number(item.get("Port")), weight=_number(item.get("Weight")),
            type=_lower(item.get("Type")) or _lower(item.get("ServerType")),
            description=_text(item.get("Description")),
        )  # fmt: skip

    def _health(self, item: dict[str, Any], line: int) -> None:
        status = _lower(item.get("ServerHealthStatus"))
        self._add(
            "lb_health", line, lb_id=_text(item.get("LoadBalancerId")) or self.lb_in_name,
            listener_port=_number(item.get("ListenerPort")),
            protocol=_lower(item.get("Protocol")) or _lower(item.get("ListenerProtocol")),
            server_id=_text(item.get("ServerId")), server_ip=self._ip(item, line), port=_number(item.get("Port")),
            status=_HEALTH.get(status, "unavailable") if status else None,
        )  # fmt: skip

    def _nlb_health(self, item: dict[str, Any], line: int) -> None:
        """GetListenerHealthStatus names servers that are not normal; initial and unused ones are unavailable."""
        for info in item.get("ServerGroupInfos") or ():
            for server in (info.get("NonNormalServers") or ()) if isinstance(info, dict) else ():
                if isinstance(server, dict):
                    shared = {key: item.get(key) for key in ("ListenerPort", "ListenerProtocol", "LoadBalancerId")}
                    self._health({**server, **shared, "ServerHealthStatus": server.get("Status")}, line)

    def _ip(self, item: dict[str, Any], line: int) -> str | None:
        text = _text(item.get("ServerIp"))
        if text and address(text) is None:
            self.note(line, "masked", text, "not an address")
        return address(text) if text else None


def _place(buffer: Any) -> int:
    import numpy as np

    return int(np.frombuffer(buffer, np.uint8).__array_interface__["data"][0])


def parse(data: bytes, file: str) -> Parsed:
    """Read all documents of a file."""
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    start += len(data[start:]) - len(data[start:].lstrip(SPACE))
    reader = _Reader(data, file)
    try:
        reader.document(start, len(data.rstrip(SPACE)))
    except REFUSED:
        reader = _Reader(without_lone_surrogates(data), file)
        Pieces(reader).read()
    found = any(reader.rows.values())
    reasons = {note.reason for note in reader.notes}
    failed = not reader.documents and bool(reasons & {"error-text", "unparsed", "cut", "unusable"})
    return Parsed(
        tables={name: frames.from_rows(SCHEMAS[name], rows) for name, rows in reader.rows.items()},
        notes=tuple(sorted(reader.notes, key=lambda note: note.line)),
        lines=reader.account.count(),
        state="rows" if found else "failed" if failed else "empty",
        complete=not reasons & {"cut", "unparsed", "unusable", "error-text"},
        detail=reader.notes[0].text if failed else "",
    )


_MARKS = re.compile(
    r"\"(?:LoadBalancers|Listeners|ListenerHealthStatus|ListenerPortsAndProtoc[oa]l|ListenerPorts|VServerGroups?|VServerGroupId|"
    r"ServerGroups|ServerGroupId|ServerHealthStatus|BackendServers|LoadBalancerId)\"\s*:"
)


def sniff(head: Head) -> int:
    """JSON with the field names of CLB or NLB."""
    return 90 if head.text.lstrip().startswith("{") and _MARKS.search(head.text) else 0


FORMS = (
    Form(
        "aliyun-slb",
        "cloud",
        TABLES,
        (
            r"describe(?:loadbalancer|vservergroup|health|masterslave)",
            r"(?:list|get)(?:loadbalancer|listener|servergroup)",
        ),
        sniff,
        parse,
    ),
)
