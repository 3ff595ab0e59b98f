"""The rows of an ordinary ``ipvsadm -Ln`` by their bytes: all lines at once, no text per line.

ipvsadm pads its columns (ipvsadm.c, print_service_entry): the endpoint begins at the sixth character, forwarding at the 35th,
weight at the 43rd, both counters at the 50th and 61st. A line with exactly these places, IPv4 addresses, numbers and known
words is read here; every other one is left to be read as text. ::

    TCP  203.0.113.10:443 wrr persistent 10800
      -> 10.20.1.7:8443               Masq    3      12         4
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.parsers.byte_words import I64, U64, Flags, Words, ipv4_texts
from analyzer.parsers.ipvs_servers import SCHEDULERS

ENDPOINT, FORWARD, WEIGHT, ACTIVE, INACTIVE = 5, 34, 42, 49, 60
PROTOCOLS = {b"TCP  ": "tcp", b"UDP  ": "udp", b"SCTP ": "sctp"}
FORWARDING = {b"Masq    ": "Masq", b"Route   ": "Route", b"Tunnel  ": "Tunnel", b"Local   ": "Local"}
_REAL = b"  -> "
_PERSISTENT = b" persistent "
_PAD = 96  # words are read past the end of a short last line


@dataclass(slots=True)
class Rows:
    """Plain rows as columns, each table in the order of its lines; `odd` are the numbers of all other lines.

    Addresses are places in `names` (Arrow). `persistence` is -1 for none.
    """

    total: int
    odd: I64
    names: Any
    virtual: dict[str, Any]
    real: dict[str, Any]


def read(data: bytes) -> Rows | None:
    """All lines of a capture that ends with a line end; null for text of another kind."""
    if not data.endswith(b"\n") or not data.isascii():
        return None
    words = Words(data.replace(b"\n", b" ") + b" " * _PAD)
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10)
    starts = np.concatenate(([0], ends[:-1] + 1))
    head = words.starting(starts)
    real = _heads(head, _REAL)
    kinds = {name: _heads(head, text) for text, name in PROTOCOLS.items()}
    virtual = np.logical_or.reduce(list(kinds.values()))
    lines = np.flatnonzero(real | virtual)
    keys, ports, after, good = _endpoints(words, starts[lines] + ENDPOINT)
    is_real = real[lines]
    reals, virtuals = np.flatnonzero(is_real & good), np.flatnonzero(~is_real & good)
    real_columns, real_good = _real(words, starts[lines[reals]], after[reals], ends[lines[reals]])
    virtual_columns, virtual_good = _virtual(words, after[virtuals], ends[lines[virtuals]])
    good[reals], good[virtuals] = real_good, virtual_good
    names, codes = _addresses(keys, good)
    good &= codes >= 0
    taken = np.zeros(len(starts), dtype=np.bool_)
    taken[lines[good]] = True
    if not real_good.all() or not good[reals].all():
        real_columns = {name: column[good[reals]] for name, column in real_columns.items()}
        reals = reals[good[reals]]
    if not virtual_good.all() or not good[virtuals].all():
        virtual_columns = {name: column[good[virtuals]] for name, column in virtual_columns.items()}
        virtuals = virtuals[good[virtuals]]
    for columns, chosen in ((real_columns, reals), (virtual_columns, virtuals)):
        columns.update(address=codes[chosen], port=ports[chosen], line=lines[chosen] + 1)
    at = lines[virtuals]
    virtual_columns["protocol"] = np.select([kinds[name][at] for name in PROTOCOLS.values()], [0, 1, 2], -1)
    return Rows(len(starts), np.flatnonzero(~taken) + 1, names, virtual_columns, real_columns)


def _heads(word: U64, text: bytes) -> Flags:
    """Where a line begins with a text of five characters."""
    mask = np.uint64((1 << 40) - 1)
    found: Flags = (word & mask) == np.uint64(int.from_bytes(text, "little"))
    return found


def _endpoints(words: Words, start: I64) -> tuple[U64, I64, I64, Flags]:
    """Keys of IPv4 addresses, ports, where the port ends, and where both are as they should be."""
    near, far = words.first(start, 0x3A), words.first(start + 8, 0x3A)
    size = np.where(near < 8, near, 8 + far)
    end = start + size
    keys, good = words.ipv4_keys(end, size)
    digits, found = words.run_of_digits(end + 1)
    after = end + 1 + digits
    ports, number = words.numbers(after, digits)
    return keys, ports, after, good & found & number & (digits <= 5) & (ports <= 65535)


def _real(words: Words, start: I64, after: I64, end: I64) -> tuple[dict[str, Any], Flags]:
    forwarding = np.full(len(start), -1, dtype=np.int8)
    word = words.starting(start + FORWARD)
    for code, text in enumerate(FORWARDING):
        forwarding[word == np.uint64(int.from_bytes(text, "little"))] = code
    good = (forwarding >= 0) & words.blank(after, start + FORWARD)
    columns: dict[str, Any] = {"forwarding": forwarding}
    for name, at, until in (
        ("weight", WEIGHT, start + ACTIVE), ("active", ACTIVE, start + INACTIVE), ("inactive", INACTIVE, end),
    ):  # fmt: skip
        size, found = words.run_of_digits(start + at)
        stop = start + at + size
        columns[name], number = words.numbers(stop, size)
        good &= found & number & (stop <= until) & words.blank(stop, until)
        if name != "inactive":
            good &= stop < until
    return columns, good


def _virtual(words: Words, after: I64, end: I64) -> tuple[dict[str, Any], Flags]:
    size, good = words.run_of_digits(after + 1)
    stop = after + 1 + size
    scheduler = _schedulers(words, stop, size)
    persistence = np.full(len(after), -1, dtype=np.int64)
    good &= (scheduler >= 0) & (stop <= end)
    rest = np.flatnonzero(good & ~words.blank(stop, end))
    if len(rest):
        begin = stop[rest] + len(_PERSISTENT)
        digits, found = words.run_of_digits(begin)
        last = begin + digits
        persistence[rest], number = words.numbers(last, digits)
        sticky = words.starts_with(stop[rest], _PERSISTENT) & found & number & (last <= end[rest])
        good[rest] = sticky & words.blank(last, end[rest])
    return {"scheduler": scheduler, "persistence_s": persistence}, good


def _schedulers(words: Words, end: I64, size: I64) -> npt.NDArray[np.int8]:
    """Places among the sorted names of schedulers; -1 for what is none."""
    found = np.full(len(end), -1, dtype=np.int8)
    for code, name in enumerate(sorted(SCHEDULERS)):
        text = name.encode("ascii")
        hit = size == len(text)
        if hit.any():
            found[hit & words.ends_with(end, b" " + text)] = code
    return found


def _addresses(keys: U64, good: Flags) -> tuple[Any, I64]:
    """The distinct addresses, and the place of each row's; -1 where the text is no address."""
    import pandas as pd
    import pyarrow as pa

    codes, unique = pd.factorize(np.where(good, keys, np.uint64(0)))
    chars, at, known = ipv4_texts(np.asarray(unique))
    names = pa.LargeStringArray.from_buffers(len(unique), pa.py_buffer(at.astype(np.int64)), pa.py_buffer(chars))
    return names, np.where(known, np.arange(len(unique)), -1)[codes]
