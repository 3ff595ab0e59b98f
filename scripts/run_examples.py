"""Run the examples in docs and put their real output below them.

A block that begins with a command is an example; `head=N` and `lines=A-B` behind the language shorten its output::

    ```console head=12
    $ ipvscope inspect samples/clb-reuse.tar.gz
    ```

``run_examples.py --check`` exits with 1 when a page does not show what the command prints.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(
    r"^```console(?P<how>[^\n]*)\n(?P<command>\$ ipvscope (?:[^\n]*\\\n)*[^\n]*)\n(?P<shown>.*?)^```$", re.M | re.S
)


def pages() -> Iterator[Path]:
    """All pages that are written by hand."""
    yield from sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name not in ("rules", "fixes"))


def printed(command: str) -> str:
    """What the command prints; nothing is written outside a folder that `-o` names."""
    words = shlex.split(command.removeprefix("$ ipvscope ").replace("\\\n", " "))
    done = subprocess.run(
        [sys.executable, "-m", "analyzer.cli.main", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "LC_ALL": "C.UTF-8", "COLUMNS": "160"},
    )  # fmt: skip
    return done.stdout


def shortened(text: str, how: str) -> str:
    """`head=N`: the first N lines; `lines=A-B`: those; `...` stands for what is left out."""
    lines = text.rstrip("\n").splitlines()
    first, last = 1, len(lines)
    if found := re.search(r"head=(\d+)", how):
        last = int(found[1])
    if found := re.search(r"lines=(\d+)-(\d+)", how):
        first, last = int(found[1]), int(found[2])
    kept = [line.rstrip() for line in lines[first - 1 : last]]
    return "\n".join([*(["..."] if first > 1 else []), *kept, *(["..."] if last < len(lines) else [])]) + "\n"


def rewritten(page: str) -> str:
    """The page with the output of each of its examples."""

    def again(block: re.Match[str]) -> str:
        body = shortened(printed(block["command"]), block["how"])
        return f"```console{block['how']}\n{block['command']}\n{body}```"

    return BLOCK.sub(again, page)


def main() -> int:
    stale = 0
    for path in pages():
        text = path.read_text("utf-8")
        after = rewritten(text)
        if after == text:
            continue
        if "--check" in sys.argv:
            print(
                f"{path.relative_to(ROOT)} shows other output than the commands print: run scripts/run_examples.py",
                file=sys.stderr,
            )
            stale += 1
        else:
            path.write_text(after, "utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
