"""Fuzz every target for a bounded time, one after the other, each in a process of its own.

python -m tests.fuzz [--seconds N] [--output FOLDER] [--own] [TARGET ...]

Prints a line per target. What was found lies in FOLDER/TARGET/ with the log; copied to tests/fuzz/corpus/TARGET/ it
becomes a test. Exit code 1 when something was found.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

from .one import runs_of
from .targets import targets


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=10, help="for each target")
    parser.add_argument("--output", type=Path, default=Path("out/fuzz"))
    parser.add_argument("--own", action="store_true", help="plain mutation also where Atheris is installed")
    parser.add_argument("target", nargs="*")
    options = parser.parse_args()
    if unknown := set(options.target) - set(targets()):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(targets())}")
    engine = "plain mutation" if options.own or importlib.util.find_spec("atheris") is None else "Atheris"
    print(f"{len(options.target or targets())} targets, {options.seconds} s each, {engine}")
    found = 0
    for name in options.target or targets():
        folder = options.output / name
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.fuzz.one", name, str(options.seconds), str(folder)]
        started = time.monotonic()
        with (folder / "log").open("wb") as log:
            code = _run([*command, *(["--own"] if options.own else [])], log.fileno(), options.seconds + 300)
        runs = runs_of((folder / "log").read_text("utf-8", "replace"))
        found += code != 0
        what = "nothing found" if code == 0 else f"FOUND SOMETHING (exit code {code}), see {folder}"
        print(f"{name:<28}{time.monotonic() - started:6.0f} s{runs:>10} runs  {what}", flush=True)
    return 1 if found else 0


def _run(command: list[str], log: int, timeout: float) -> int:
    try:
        return subprocess.run(command, stdout=log, stderr=log, timeout=timeout, check=False).returncode
    except subprocess.TimeoutExpired:
        return -1


if __name__ == "__main__":
    sys.exit(main())
