"""Nodes that do not hold what kube-proxy should have programmed."""

from __future__ import annotations

import re
from pathlib import Path

from tests.findings.edits import N1, N2, N3, edit, node_files, servers

LOCAL = "1.28.3-terway-local"


def endpoint_missing(folder: Path) -> None:
    servers(folder, N2, lambda text: re.sub(r"  -> 10\.0\.0\.172:80 .*\n", "", text))


def address_left(folder: Path) -> None:
    left = "    inet 192.168.1.77/32 scope global kube-ipvs0\n       valid_lft forever preferred_lft forever\n"
    for path in node_files(folder, N1, "ip-addr.txt"):
        path.write_text(path.read_text() + left)
    for name in ("ip-j-addr.json", "ip-d-addr-kube-ipvs0.txt"):
        for path in node_files(folder, N1, name):
            path.unlink()


def extra_server(folder: Path) -> None:
    more = "TCP  192.0.2.9:8080 wlc\n  -> 192.0.2.10:8080           Route   1      0          0\n"
    servers(folder, N2, lambda text: text + more)


def weight_zero(folder: Path) -> None:
    full, none = (f"10.0.2.78:80                 Masq    {weight} " for weight in (1, 0))
    servers(folder, N1, lambda text: text.replace(full, none))


def other_flags(folder: Path) -> None:
    servers(folder, N1, lambda text: re.sub(r"(?m)^(TCP  192.168.1.200:80) rr", r"\1 rr persistent 600", text))


def set_member_missing(folder: Path) -> None:
    edit(folder / "nodes" / N1 / "ipset-save.txt", r"^add KUBE-IPVS-IPS 192.*\n", "")
    for path in node_files(folder, N1, "ipset-list*"):
        path.unlink()


def leftovers(folder: Path) -> None:
    edit(folder / "nodes" / N1 / "kube-proxy.log", "Using ipvs Proxier", "Using iptables Proxier")


def nothing_tells_the_mode(folder: Path) -> None:
    for name in ("ipvsadm*", "ipset*", "iptables*", "kube-proxy.log", "ip-addr*", "ip-j*", "ip-d*", "ip-route*"):
        for path in node_files(folder, N3, name):
            path.unlink()
    (folder / "cluster" / "configmap-kube-proxy.json").unlink()


def other_mode(folder: Path) -> None:
    edit(folder / "cluster" / "configmap-kube-proxy.json", r"mode: (\\\")?ipvs", r"mode: \1iptables")


def no_modules(folder: Path) -> None:
    for name in ("ipvsadm*", "ipset*", "ip-addr*", "ip-j*", "ip-d*"):
        for path in node_files(folder, N3, name):
            path.unlink()
    listing = "Module                  Size  Used by\nnf_conntrack          172032  3 nf_nat\nveth                   36864  0\n"
    (folder / "nodes" / N3 / "lsmod.txt").write_text(listing)


def missing_capture(folder: Path) -> None:
    for path in node_files(folder, N2, "ipvsadm*"):
        path.unlink()


def error_text(folder: Path) -> None:
    missing_capture(folder)
    (folder / "nodes" / N2 / "ipvsadm-Ln.txt").write_text("bash: ipvsadm: command not found\n")


CHANGES = {
    "DRIFT-002": endpoint_missing,
    "DRIFT-004": address_left,
    "DRIFT-006": extra_server,
    "DRIFT-007": weight_zero,
    "DRIFT-008": other_flags,
    "DRIFT-009": set_member_missing,
    "MODE-001": leftovers,
    "MODE-002": nothing_tells_the_mode,
    "MODE-004": other_mode,
    "MODE-005": no_modules,
    "INPUT-001": missing_capture,
    "INPUT-002": error_text,
}
BASES = {"DRIFT-008": LOCAL, "DRIFT-009": LOCAL}
