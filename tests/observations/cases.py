"""A clean cluster whose conntrack table says otherwise than the walk."""

from __future__ import annotations

from pathlib import Path

from tests.findings.edits import N3, node_files

SEEN = "src=192.168.1.200 dst=192.168.1.200 sport={port} dport=80 [UNREPLIED] src=10.0.2.78 dst=192.168.1.200 sport=80 dport={port}"


def lost_answer(folder: Path) -> None:
    """An entry of a node process whose answers the walk says are lost: made whole."""
    changed = 0
    for path in node_files(folder, N3, "conntrack-L*"):
        text = path.read_text()
        lost = SEEN.format(port=39670)
        made = lost.replace(" [UNREPLIED]", "") + " [ASSURED]"
        changed += text.count(f"SYN_SENT {lost}")
        path.write_text(text.replace(f"SYN_SENT {lost}", f"TIME_WAIT {made}"))
    assert changed
