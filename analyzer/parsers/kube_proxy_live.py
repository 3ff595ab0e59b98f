"""What a running kube-proxy says of itself: its mode, its version, its command line.

`curl 127.0.0.1:10249/proxyMode` answers one word (pkg/proxy, cmd/kube-proxy/app/server.go), `/metrics` holds one line with
the version, and `/proc/<pid>/cmdline` is collected with one argument a line::

    ipvs
    kubernetes_build_info{build_date="2023-10-18T11:33:18Z",git_version="v1.28.3",major="1",minor="28"} 1
    --config=/var/lib/kube-proxy/config.conf

>>> parse_mode(b"ipvs", "kube-proxy-mode.txt").tables["host_facts"].loc[0, "value"]
'ipvs'
"""

from __future__ import annotations

import re

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed

TABLES = ("host_facts",)
_MODES = frozenset({"ipvs", "iptables", "nftables", "userspace", "kernelspace"})
_BUILD = re.compile(r"kubernetes_build_info\{[^}]{0,2000}\} 1(?:\.0+)?")
_VERSION = re.compile(r'\b(?:git_?version)="(v\d+\.\d+[^"]{0,60})"', re.IGNORECASE)
_PROXY = re.compile(r"(?:\S*/)?(?:kube-proxy|hyperkube)")


def _filled(head: Head) -> list[str]:
    return [line.strip() for line in head.lines if line.strip()]


def sniff_mode(head: Head) -> int:
    """One of the modes and nothing else, under a name that speaks of the mode: the word alone could be anything."""
    filled = _filled(head)
    return 90 if len(filled) == 1 and filled[0] in _MODES and re.search(r"proxy[-_]?mode", head.name) else 0


def sniff_version(head: Head) -> int:
    """A line of metrics that only Kubernetes' programs have, under kube-proxy's name."""
    return 90 if "proxy" in head.name and any(_BUILD.fullmatch(line) for line in _filled(head)) else 0


def sniff_arguments(head: Head) -> int:
    """The program, then one option a line."""
    filled = _filled(head)
    return 90 if filled and _PROXY.fullmatch(filled[0]) and "args" in head.name else 0


def parse_mode(data: bytes, file: str) -> Parsed:
    """The mode as a fact `kube-proxy-mode`; another word is no knowledge."""
    opened = envelope.lines(data)
    ledger = Ledger(file, TABLES)
    for number, text in opened.pairs:
        if (word := text.strip()) in _MODES and not ledger.count("host_facts"):
            ledger.add("host_facts", number, fact="kube-proxy-mode", value=word)
    return opened.close(ledger, state=None if ledger.count("host_facts") else "failed")


def parse_version(data: bytes, file: str) -> Parsed:
    """The version as a fact `kube-proxy-version`; other metrics are furniture."""
    opened = envelope.lines(data)
    ledger = Ledger(file, TABLES)
    for number, text in opened.pairs:
        bare = text.strip()
        if _BUILD.fullmatch(bare) and (match := _VERSION.search(bare)):
            ledger.add("host_facts", number, fact="kube-proxy-version", value=match[1])
        elif bare:
            ledger.furniture(number)
    return opened.close(ledger, state=None if ledger.count("host_facts") else "failed")


def parse_arguments(data: bytes, file: str) -> Parsed:
    """Each argument as a fact `kube-proxy-argument`."""
    opened = envelope.lines(data)
    ledger = Ledger(file, TABLES)
    for number, text in opened.pairs:
        if bare := text.strip():
            ledger.add("host_facts", number, fact="kube-proxy-argument", value=bare)
    return opened.close(ledger)


FORMS = (
    Form("kube-proxy-mode", "kube-proxy-mode", TABLES, (r"proxy[-_]?mode",), sniff_mode, parse_mode),
    Form("kube-proxy-version", "kube-proxy-version", TABLES, (r"kube-proxy-version",), sniff_version, parse_version),
    Form(
        "kube-proxy-arguments", "kube-proxy-arguments", TABLES, (r"kube-proxy-args",), sniff_arguments, parse_arguments
    ),
)
