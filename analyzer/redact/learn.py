"""Which names are somebody's: read from the tables of the snapshot, and from the text where a key says that a name follows.

Both, because the tables hold only what the analysis needs, and the text also holds what it does not understand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from analyzer.bundle import Bundle
from analyzer.kubeproxy.service_plan import hashed
from analyzer.redact import name_patterns as p
from analyzer.redact.book import Book
from analyzer.redact.contexts import known_key
from analyzer.redact.known import addresses_in
from analyzer.redact.scanner import Scanner, plain
from analyzer.redact.text import Chunks, is_binary
from analyzer.redact.vocabulary import SYSTEM_NAMESPACES
from analyzer.snapshot import Snapshot

_NAMED = (
    ("nodes", ("name",)),
    ("pods", ("namespace", "name", "node_name", "owner", "named_ports")),
    ("services", ("namespace", "name", "ingress_hostnames")),
    ("service_ports", ("namespace", "service", "port_name", "target_port")),
    ("endpoints", ("namespace", "service", "node_name", "target", "port_name", "object")),
    ("daemonsets", ("namespace", "name")),
    ("events", ("namespace", "name")),
    ("load_balancers", ("name", "dns_name")),
)
_OBJECTS = frozenset({"name", "namespace", "node_name", "service"})
_LABELLED = (
    ("nodes", "labels"),
    ("pods", "labels"),
    ("services", "labels"),
    ("services", "selector"),
    ("daemonsets", "labels"),
)


def learn_tables(snapshot: Snapshot, book: Book) -> None:
    """Names of all objects the analysis knows. Names of nodes, also of those without an object."""
    for node in snapshot.node_names:
        book.learn(node)
    for table, columns in _NAMED:
        if table not in snapshot.tables:
            continue
        frame = snapshot[table]
        for column in columns:
            if column in frame.columns:
                for value in frame[column].dropna().astype(str).unique():
                    for part in re.split(r"[/,=]", value):
                        _name(part, book, named=column in _OBJECTS)
    for table, column in _LABELLED:
        if table in snapshot.tables and column in snapshot[table].columns:
            for value in snapshot[table][column].dropna().astype(str).unique():
                _labels(value, book)


def _name(name: str, book: Book, *, named: bool = False) -> None:
    if name not in SYSTEM_NAMESPACES:
        book.learn(name, named=named)


def _labels(text: str, book: Book) -> None:
    try:
        labels = json.loads(text)
    except ValueError:
        return
    for key, value in labels.items() if isinstance(labels, dict) else ():
        label(str(key), str(value), book)


def label(key: str, value: str, book: Book) -> None:
    """One label: the value of a customer's key is a name; the key too, unless it is one everybody uses."""
    if not known_key(key):
        domain, slash, _ = key.partition("/")
        if slash:
            book.learn(domain)
        elif key not in p.COMMON_LABELS:
            book.learn(key)
    if not p.PLAIN_LABELS.search(key):
        _name(value, book)


def learn_text(text: str, book: Book) -> None:
    """Names in a piece of any member."""
    if ":" in text or "=" in text:
        for match in p.KEYED.finditer(text) if any(part in text for part in p.KEY_PARTS) else ():
            _name(match["value"].rstrip(" :"), book)
        for match in p.LISTED.finditer(text):
            _each(re.findall(r"[A-Za-z0-9._-]+", match["value"]), book)
        for match in p.IMAGE.finditer(text):
            if not p.PUBLIC_IMAGES.fullmatch(match["value"]):
                book.learn(match["value"].partition("@")[0].rpartition(":")[0] or match["value"])
        for whole in p.MAPS.finditer(text):
            for pair in p.PAIR.finditer(whole["value"]):
                label(pair[1], pair[2], book)
        for whole in p.YAML_MAPS.finditer(text) if "abels:" in text or "elector:" in text else ():
            for pair in p.YAML_PAIR.finditer(whole["value"]):
                label(pair[1], pair[2].strip(), book)
        for whole in p.DESCRIBED.finditer(text):
            for pair in p.DESCRIBED_PAIR.finditer(whole["value"]):
                label(pair[1], pair[2], book)
        for whole in p.ANNOTATIONS.finditer(text):
            for pair in p.PAIR.finditer(whole[1]):
                domain, slash, _ = pair[1].partition("/")
                if not known_key(pair[1]):
                    book.learn(domain if slash else pair[1])
    for pattern in p.NAMES:
        for match in pattern.finditer(text):
            _name(match["value"], book)
    if any(end in text for end in p.HOST_ENDS):
        for match in p.HOST.finditer(text):
            learn_host(match["value"], book)


def learn_file(path: str, text: str, book: Book) -> None:
    """Names that only the file's own name tells to be names."""
    file = path.rpartition("/")[2].lower()
    if file.startswith("hostname") and (match := p.HOSTNAME.fullmatch(text[:400].strip())):
        book.learn(match["value"], named=True)
    elif file.startswith(("hosts", "etc-hosts")):
        for match in p.HOSTS.finditer(text):
            for host in match["value"].split():
                learn_host(host if "." in host else f"{host}.", book)


def learn_host(host: str, book: Book) -> None:
    """A host name: its own labels are names, the top-level domain and domains of the public are not."""
    if p.PUBLIC_HOSTS.search(host):
        own = host[: host.lower().rfind(".svc")] if ".svc." in host.lower() else ""
        for part in own.split(".") if own else ():
            _name(part, book)
        return
    for part in host.split(".")[:-1]:
        _name(part, book)


def _each(values: Iterable[str], book: Book) -> None:
    for value in values:
        _name(value, book)


def learn(bundle: Bundle, snapshot: Snapshot, book: Book) -> set[bytes]:
    """Fill the book from a bundle; gives the addresses that occur (packed)."""
    learn_tables(snapshot, book)
    addresses: set[bytes] = set()
    for member in bundle.members:
        data = member.read()
        for chunk in () if is_binary(data) else Chunks(data):
            text = plain(chunk)
            learn_file(member.path, text, book)
            learn_text(text, book)
            addresses.update(addresses_in(text))
    return addresses


def learn_hashes(snapshot: Snapshot, scanner: Scanner) -> None:
    """Chains of kube-proxy are named after hashes of names: each becomes the hash of the images of these names."""
    for service in snapshot.objects.services:
        for port in service.ports:
            name = service.id + (f":{port.name}" if port.name else "")
            readable = f"{service.id}/{port.protocol}/{port.name}"
            rows = [((name, port.protocol), 16), ((readable,), 8)]
            for end in {(one.address, one.port) for one in service.endpoints}:
                place = f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"
                rows.append(((name, port.protocol, place), 16))
            for parts, length in rows:
                image = hashed(*map(scanner.text, parts))[:length]
                if (old := hashed(*parts)[:length]) != image:
                    scanner.book.fixed[old] = image
