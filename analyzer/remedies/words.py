"""Commands and documents to copy: names of a bundle are data in them, never syntax.

A bundle comes from a stranger. Every word of a command goes through `shlex.quote`, every document through
`yaml.safe_dump`; characters that would drive a terminal while somebody pastes are replaced.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from analyzer.remedies.model import Change

DNS_NAME = "<dns-name>"
"""Placeholder: the name under which clients reach the load balancer."""
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{1,63}")
_IPVS = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
MORE = 6


def plain(value: str) -> str:
    """One line without control or direction characters.

    >>> plain("a\\nb\\x1b")
    'a?b?'
    """
    return "".join(char if char.isprintable() else "?" for char in value)


def command(*words: str) -> str:
    """A shell command of literal words.

    >>> command("kubectl", "get", "service/$(reboot)")
    "kubectl get 'service/$(reboot)'"
    """
    return " ".join(shlex.quote(plain(word)) for word in words)


def kubectl(namespace: str, *words: str) -> str:
    """``kubectl`` in a namespace; written so that no name can be taken for an option."""
    return command("kubectl", f"--namespace={namespace}", *words)


def annotate(namespace: str, name: str, annotations: Mapping[str, str]) -> str:
    """Set annotations of a Service; an annotation that is there is overwritten."""
    pairs = (f"{key}={value}" for key, value in annotations.items())
    return kubectl(namespace, "annotate", "--overwrite", f"service/{name}", *pairs)


def merge_patch(namespace: str, kind_and_name: str, patch: Mapping[str, Any]) -> str:
    """Apply a JSON merge patch."""
    return kubectl(namespace, "patch", kind_and_name, "--type=merge", f"--patch={compact(patch)}")


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def yaml_documents(*documents: Mapping[str, Any]) -> str:
    """One YAML stream; keys in the order given.

    >>> yaml_documents({"name": "yes", "port": 80})
    "name: 'yes'\\nport: 80\\n"
    """
    return str(
        yaml.safe_dump_all(
            list(documents), sort_keys=False, default_flow_style=False, explicit_start=len(documents) > 1
        )
    )


def lines(*commands: str, title: str = "") -> Change:
    """Commands, one per line, as one change."""
    return Change("command", "\n".join(dict.fromkeys(commands)), title)


def document(*documents: Mapping[str, Any], title: str = "") -> Change:
    return Change("yaml", yaml_documents(*documents), title)


def listed(names: Iterable[str], limit: int = MORE) -> str:
    """Names for a sentence: the first ones, and how many more; an en dash when there is none.

    >>> listed(["b", "a", "b"]), listed("abcdefgh", 3), listed([])
    ('b, a', 'a, b, c (+5)', '–')
    """
    unique = list(dict.fromkeys(names))
    rest = len(unique) - limit
    return (", ".join(unique[:limit]) + (f" (+{rest})" if rest > 0 else "")) or "–"


def endpoint(address: str, port: int) -> str:
    """``IP:PORT``, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def ipvs_server(address: str, port: int, protocol: str) -> tuple[str, str]:
    """The words by which ipvsadm names a virtual server."""
    return (_IPVS.get(protocol, "-t"), endpoint(address, port))


def is_label(name: str) -> bool:
    """Whether the text is a DNS label, as every Service and namespace name is (a hostile bundle may hold others)."""
    return _LABEL.fullmatch(name) is not None


def cloud_id(value: str, placeholder: str) -> str:
    """An id of the cloud if it looks like one, else a placeholder."""
    return value if _ID.fullmatch(value) else placeholder


def dial(address: str, port: int, protocol: str) -> str:
    """One attempt to connect that says what it saw."""
    return command("nc", "-zv", *(("-u",) if protocol == "udp" else ()), "-w", "3", address, str(port))


def dial_often(address: str, port: int, protocol: str) -> str:
    """Ten attempts: the loop-back limit shows only when the load balancer chooses the client's own node."""
    return f"for attempt in 1 2 3 4 5 6 7 8 9 10; do {dial(address, port, protocol)}; done"
