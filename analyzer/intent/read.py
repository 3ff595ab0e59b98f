"""The intent file: YAML, strict, so that a typing error never passes for a statement that holds.

intent: 1
open: allow                       # or fail: a statement that cannot be decided is a violation
statements:
  - name: the shop is reachable inside
    from: [nodes, pods]           # nodes, pods, outside, node:NAME, pod:NS/NAME, namespace:NS, external:IP
    to: [service:shop/web]        # service: (ClusterIP), lb: (published addresses), nodeport:, each NS/NAME[:PORT]; IP:PORT[/udp]
    must: reach                   # or not-reach
    client-address: kept          # optional: and the server sees the client's own address
assume:                           # only for rendered manifests, without a cluster
  nodes: 3
  kubernetes: "1.28"
  proxy-mode: ipvs
  cni: terway                     # or flannel
  endpoints: {shop/web: [node-1, node-2]}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from analyzer.errors import UsageError
from analyzer.intent.model import Assumption, Intent, Mode, Must, Statement

MAX_BYTES = 1 << 20
KEYS = frozenset(["intent", "open", "statements", "assume"])
STATEMENT_KEYS = frozenset(["name", "from", "to", "must", "client-address"])
ASSUME_KEYS = frozenset(["nodes", "kubernetes", "proxy-mode", "cni", "endpoints"])
MAX_NODES = 100


class _Lines(yaml.SafeLoader):
    """Mappings remember the line they begin on."""


def _mapping(loader: _Lines, node: yaml.MappingNode) -> dict[Any, Any]:
    found: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    found[_LINE] = node.start_mark.line + 1
    return found


_LINE = "\0line"
_Lines.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_intent(path: Path) -> Intent:
    """Read an intent file.

    Raises:
        UsageError: it cannot be read, is no YAML, or says something that is not known, with the line.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError("larger than an intent file can be", where=str(path))
        loaded = yaml.load(path.read_text("utf-8"), _Lines)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"no YAML: {' '.join(str(error).split())}", where=str(path)) from None
    return _intent(loaded, str(path))


def _intent(loaded: Any, file: str) -> Intent:
    top = _checked(loaded, KEYS, file, "an intent file")
    if top.get("intent") != 1:
        raise UsageError("the first key is `intent: 1`", where=file)
    opened = top.get("open", "allow")
    if opened not in ("allow", "fail"):
        raise UsageError(f"open is allow or fail, not {opened!r}", where=file)
    listed = top.get("statements")
    if not isinstance(listed, list) or not listed:
        raise UsageError("no statements", where=file)
    statements = tuple(_statement(one, file) for one in listed)
    names = [one.name for one in statements]
    for one in statements:
        if names.count(one.name) > 1:
            raise UsageError(f"two statements are called {one.name!r}", where=f"{file}:{one.line}")
    return Intent(statements, file, opened == "fail", _assume(top.get("assume"), file))


def _checked(value: Any, known: frozenset[str], file: str, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{what} is a mapping", where=file)
    line = value.get(_LINE, 0)
    strange = sorted(str(key) for key in value if key not in known and key != _LINE)
    if strange:
        raise UsageError(
            f"{what} has no key {', '.join(strange)}", where=f"{file}:{line}", hint=f"keys: {', '.join(sorted(known))}"
        )
    return value


def _statement(value: Any, file: str) -> Statement:
    own = _checked(value, STATEMENT_KEYS, file, "a statement")
    where = f"{file}:{own.get(_LINE, 0)}"
    must = own.get("must", "reach")
    if must not in ("reach", "not-reach"):
        raise UsageError(f"must is reach or not-reach, not {must!r}", where=where)
    address = own.get("client-address", "")
    if address not in ("", "kept") or (address and must != "reach"):
        raise UsageError("client-address is kept, beside must: reach", where=where)
    clients, targets = _texts(own.get("from"), "from", where), _texts(own.get("to"), "to", where)
    name = str(own.get("name") or f"{', '.join(clients)} {must} {', '.join(targets)}")
    kind: Must = must
    return Statement(name, clients, targets, kind, address == "kept", int(own.get(_LINE, 0)))


def _texts(value: Any, key: str, where: str) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) and one for one in listed):
        raise UsageError(f"{key} is a text or a list of texts", where=where)
    return tuple(listed)


def _assume(value: Any, file: str) -> Assumption:
    if value is None:
        return Assumption()
    own = _checked(value, ASSUME_KEYS, file, "assume")
    where = f"{file}:{own.get(_LINE, 0)}"
    nodes = own.get("nodes", 0)
    if not isinstance(nodes, int) or not 0 < nodes <= MAX_NODES:
        raise UsageError(f"assume.nodes is a number from 1 to {MAX_NODES}", where=where)
    modes: dict[str, Mode] = {"ipvs": "ipvs", "iptables": "iptables", "nftables": "nftables"}
    mode = modes.get(str(own.get("proxy-mode", "ipvs")))
    if mode is None:
        raise UsageError(f"no proxy mode {own['proxy-mode']!r}", where=where)
    cni = str(own.get("cni", ""))
    if cni not in ("", "terway", "flannel"):
        raise UsageError(f"assume.cni is terway or flannel, not {cni!r}", where=where)
    placed = own.get("endpoints") or {}
    if not isinstance(placed, dict):
        raise UsageError("assume.endpoints maps NS/NAME to a list of nodes", where=where)
    endpoints = tuple(
        (str(name), _texts(on, "assume.endpoints", where)) for name, on in placed.items() if name != _LINE
    )
    return Assumption(nodes, str(own.get("kubernetes", "")), mode, cni, endpoints)
