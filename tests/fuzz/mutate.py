"""A small mutation fuzzer for machines without Atheris: no coverage, but the same targets and seeds everywhere."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

MAX_BYTES = 16_384
TOKENS = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n\n", b"\t", b"\x1b[31m", b"...", b"--", b"```", b"> ", b"# ", b"=3D", b" \\\n",
    b"[", b"]", b"{", b"}", b'"', b"\\u0000", b"\\ud800", b"null", b"-1", b"1e999", b"99999999999999999999", b"0x", b"&a ", b"*a",
    b"!!python/object:os.system ", b"---\n", b"::", b"255.255.255.255/33", b"10.0.0.1:65536", b"[root@node-b ~]# ip addr\n",
    b"<script>", b"{0.__class__}", b"%s%n", b"=cmd|", "\u202e".encode(), "汉字".encode(), b"\xed\xa0\x80", b"*" * 300, b" " * 300,
)  # fmt: skip


def mutated(seed: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """The seed with one to eight changes of bytes, lines, tokens, or with a part of another seed."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 8)):
        at = rng.randint(0, len(data))
        until = min(len(data), at + rng.choice((1, 2, 4, 16, 200)))
        match rng.randrange(9):
            case 0:
                data[at:until] = rng.randbytes(until - at)
            case 1:
                del data[at:until]
            case 2:
                data[at:at] = data[at:until] * rng.randint(1, 9)
            case 3 | 4:
                data[at:at] = rng.choice(TOKENS)
            case 5:
                del data[at:]
            case 6:
                other = rng.choice(others)
                start = rng.randint(0, len(other))
                data[at:at] = other[start : start + rng.randint(1, 400)]
            case _:
                lines = bytes(data).split(b"\n")
                one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
                lines[one], lines[two] = lines[two], lines[one] if rng.random() < 0.5 else lines[two]
                data = bytearray(b"\n".join(lines))
    return bytes(data[:MAX_BYTES])


def fuzz(
    run: Callable[[bytes], None], seeds: Sequence[bytes], seconds: float, *, seed: int = 0, runs: int = 1 << 62
) -> tuple[int, bytes | None, Exception | None]:
    """Run until something is raised, the time or the number of runs is over: (runs, the input, what was raised)."""
    rng = random.Random(seed)
    pool = list(seeds) or [b""]
    end = time.monotonic() + seconds
    done = 0
    for data in pool:
        done += 1
        try:
            run(data)
        except Exception as error:
            return done, data, error
    while time.monotonic() < end and done < runs:
        data = mutated(rng.choice(pool), pool, rng)
        done += 1
        try:
            run(data)
        except Exception as error:
            return done, data, error
    return done, None, None
