"""Fuzz one target in this process: ``python -m tests.fuzz.one TARGET SECONDS OUTPUT [--own]``.

With Atheris where it is installed (coverage of `analyzer` guides it), else, or with ``--own``, by plain mutation. The
last line printed is ``runs N``; exit code 0 when nothing was found, else the input lies in OUTPUT.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
import traceback
from pathlib import Path

MAX_BYTES = 8_192


def main(name: str, seconds: int, output: Path, *, own: bool) -> int:
    output.mkdir(parents=True, exist_ok=True)
    if own or importlib.util.find_spec("atheris") is None:
        return _own(name, seconds, output)
    import atheris

    with atheris.instrument_imports(include=["analyzer"], enable_loader_override=False):
        import analyzer.bundle
        import analyzer.parsers.registry  # noqa: F401
    from .targets import targets

    target = targets()[name]
    corpus = output / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed[:MAX_BYTES])
    arguments = [
        sys.argv[0], f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", "-timeout=20", "-rss_limit_mb=2048", "-len_control=0",
        f"-artifact_prefix={output}/", "-print_final_stats=1", str(corpus),
    ]  # fmt: skip
    atheris.Setup(arguments, target.run)
    atheris.Fuzz()
    return 0


def _own(name: str, seconds: int, output: Path) -> int:
    from . import mutate
    from .targets import targets

    target = targets()[name]
    runs, data, error = mutate.fuzz(target.run, list(target.seeds()), seconds, seed=os.getpid())
    print(f"runs {runs}")
    if error is None or data is None:
        return 0
    (output / "crash-own").write_bytes(data)
    traceback.print_exception(error)
    return 1


def runs_of(log: str) -> int:
    """How often the target was run, from what this program or libFuzzer printed."""
    found = re.findall(r"^(?:runs |stat::number_of_executed_units:\s+)(\d+)", log, re.MULTILINE)
    return int(found[-1]) if found else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), own="--own" in sys.argv[4:]))
