"""`python -m bench.redact [FILE]`: does redaction change what the analysis says of any lab capture, and how fast is it?

Every recorded capture (or the bundle FILE) is redacted, both are analysed, and the redacted result, names brought back, is
compared with the original line by line: findings, verdicts of all cells, observations, parse notes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from analyzer.redact import Unredactor, new_mapping, redact
from tests import lab
from tests.redact.picture import picture, sorted_words


def compare(bundle: Path) -> tuple[int, list[str], list[str], float]:
    """Lines compared, lines only in the original, lines only in the image, MB/s of the redaction."""
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / bundle.parent.name
        began = time.process_time()
        done = redact(bundle, out, new_mapping())
        took = time.process_time() - began
        back = Unredactor(done.mapping)
        was = sorted_words(picture(bundle))
        is_now = sorted_words([back.text(line) for line in picture(out)])
    lost, new = sorted(set(was) - set(is_now)), sorted(set(is_now) - set(was))
    if not lost and not new and was != is_now:
        lost = ["the same lines, but not as often"]
    return len(was), lost, new, done.bytes / 1e6 / took


def main(arguments: list[str]) -> int:
    bundles = [Path(one) for one in arguments] or [lab.bundle(case) for case in lab.CASES]
    wrong = 0
    for bundle in bundles:
        lines, lost, new, speed = compare(bundle)
        wrong += bool(lost or new)
        print(
            f"{bundle.parent.name:28} {lines:6} lines  {len(lost):3} lost {len(new):3} new  {speed:6.1f} MB/s",
            flush=True,
        )
        for sign, rows in (("-", lost), ("+", new)):
            for row in rows[:5]:
                print(f"   {sign} {row[:400]}")
    print(f"{len(bundles) - wrong} of {len(bundles)} the same")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
