"""Stand-ins for a node's commands that print what was recorded on one, so that a collected bundle can be compared."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.collector.setting import recorded, tool

BORROWED = (
    "awk", "basename", "cat", "cp", "date", "df", "env", "grep", "gzip", "head", "id", "ls", "mkdir", "mktemp", "mv",
    "rm", "sed", "sh", "sleep", "sort", "tail", "tar", "timeout", "tr", "wc",
)  # fmt: skip

PRINTS = {
    "hostname ": "hostname.txt", "uname -a": "uname.txt", "lsmod ": "lsmod.txt",
    "ipvsadm -Ln": "ipvsadm-Ln.txt", "ipvsadm -Ln --stats --exact": "ipvsadm-Ln-stats.txt",
    "ipvsadm -S -n": "ipvsadm-save-n.txt", "ipvsadm -Lnc": "ipvsadm-Lnc.txt",
    "ip addr": "ip-addr.txt", "ip -d link": "ip-d-link.txt", "ip route show table all": "ip-route-all.txt",
    "ip rule": "ip-rule.txt", "ip neigh": "ip-neigh.txt", "ip -j addr": "ip-j-addr.json",
    "ipset save": "ipset-save.txt", "iptables-save -c": "iptables-save.txt", "ss -lntupe": "ss-lntup.txt",
    "conntrack -L -f ipv4 -o extended": "conntrack-L-extended.txt",
}  # fmt: skip


def node_commands(folder: Path, find_node: str) -> Path:
    """A folder that can be a node's whole PATH; `find_node` is shell text that sets NODE.

    `$REPLAY_DELAY` seconds pass before each answer of conntrack.
    """
    taken = folder / "recorded"
    for name, content in recorded().items():
        path = taken / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    commands = folder / "node-bin"
    commands.mkdir()
    for name in BORROWED:
        if found := tool(name):
            (commands / name).symlink_to(found)
    cases = "\n".join(f'    "{call}") file={file} ;;' for call, file in PRINTS.items())
    replay = commands / ".replay"
    replay.write_text(
        f'#!/bin/sh\n{find_node}\nfile=\ncase "${{0##*/}} $*" in\n{cases}\n    "sysctl "*) file=sysctl.txt ;;\n'
        '    "iptables -V") echo "iptables v1.8.4 (legacy)"; exit ;;\n'
        '    "conntrack -L -f ipv6"*) exit ;;\nesac\n'
        '[ -n "$file" ] || { echo "no ${0##*/} $*" >&2; exit 1; }\n'
        '[ "${0##*/}" != conntrack ] || sleep "${REPLAY_DELAY:-0}"\n'
        f'exec cat "{taken}/nodes/$NODE/$file"\n'
    )
    replay.chmod(0o755)
    for call in {*PRINTS, "sysctl ", "iptables "}:
        link = commands / call.split(" ")[0]
        if not link.exists():
            link.symlink_to(replay)
    return commands


def node_names() -> list[str]:
    """The nodes of the recorded cluster."""
    return sorted({name.split("/")[1] for name in recorded() if name.startswith("nodes/")})


def have(*names: str) -> bool:
    return all(tool(name) or shutil.which(name) for name in names)
