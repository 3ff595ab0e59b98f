"""Print what each hostile bundle is answered, with peak memory and time: ``python -m tests.hostile [NAME ...]``.

Each is analysed by the command line as a user would, with its limits on. The numbers are those of its processes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .cases import Case, all_cases


def measure(case: Case, at: Path) -> str:
    path = case.make(at)
    output = at / "report"
    command = [
        sys.executable,
        "-m",
        "analyzer.cli.main",
        "analyze",
        str(path),
        "-o",
        str(output),
        "-f",
        "json",
        "-f",
        "html",
    ]
    started = time.monotonic()
    with (at / "out").open("wb") as out:
        pid = os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_DUP2, out.fileno(), 2)],
        )
        _, status, used = os.wait4(pid, 0)
    seconds = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    if code == 3:
        told = (at / "out").read_text("utf-8", "replace").splitlines()[0].rpartition("bundle: ")[2]
    else:
        told = "; ".join(_said(json.loads((output / "report.json").read_text("utf-8"))))
    size = path.stat().st_size / 1e6 if path.is_file() else 0
    cpu = used.ru_utime + used.ru_stime
    return f"| {case.name} | {size:.1f} | {code} | {told[:150]} | {used.ru_maxrss / 1024:.0f} | {cpu:.1f} | {seconds:.1f} |"


def _said(report: dict[str, Any]) -> list[str]:
    found = [f"{row['file']}: {row['detail']}" for row in report["captures"] if row["state"] in ("refused", "failed")]
    for file, reasons in report["notes"]["reasons"].items():
        found.append(f"{file}: " + ", ".join(f"{count} x {reason}" for reason, count in reasons.items()))
    return found[:3] or ["(nothing to complain about)"]


def main(names: list[str]) -> None:
    print("| bundle | MB | exit | answer | peak MB | CPU s | s |\n|---|---|---|---|---|---|---|")
    for case in all_cases():
        if not names or any(name in case.name for name in names):
            with tempfile.TemporaryDirectory(prefix="ipvscope-hostile-") as at:
                print(measure(case, Path(at)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
