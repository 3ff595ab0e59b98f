"""The columns of one conntrack capture while it is read, one slot per line of the file."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.parsers.byte_words import I64, U64, Flags, ipv4_text
from analyzer.parsers.conntrack_layout import Prefix

CACHE_BITS = 19
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # multiplicative hashing (Knuth): 2**64 over the golden ratio
NUMBERS = (
    "family", "protonum", "timeout_s", "orig_sport", "orig_dport", "reply_sport", "reply_dport", "mark", "zone",
    "orig_packets", "orig_bytes", "reply_packets", "reply_bytes",
)  # fmt: skip
ADDRESSES = ("orig_src", "orig_dst", "reply_src", "reply_dst")
FLAGS = ("unreplied", "assured", "offload")
# Kernel: tcp_conntrack_names, sctp_conntrack_names, dccp_state_names; the commonest first.
STATES = (
    "TIME_WAIT", "ESTABLISHED", "SYN_SENT", "CLOSE", "CLOSE_WAIT", "FIN_WAIT", "LAST_ACK", "SYN_RECV", "SYN_SENT2",
    "NONE", "LISTEN", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT",
    "HEARTBEAT_SENT", "HEARTBEAT_ACKED", "REQUEST", "RESPOND", "PARTOPEN", "OPEN", "CLOSEREQ", "CLOSING", "TIMEWAIT",
    "IGNORE", "INVALID",
)  # fmt: skip


class Columns:
    """The columns of one capture, one slot per line; slot 0 is line 1.

    Arrays start as untouched zero pages: a column nobody writes costs address space, not memory.
    """

    def __init__(self, lines: int) -> None:
        self.taken: Flags = np.zeros(lines, dtype=np.bool_)
        self.numbers: dict[str, I64] = {name: np.zeros(lines, dtype=np.int64) for name in NUMBERS}
        self.known: dict[str, Flags] = {name: np.zeros(lines, dtype=np.bool_) for name in NUMBERS}
        self.flags: dict[str, Flags] = {name: np.zeros(lines, dtype=np.bool_) for name in FLAGS}
        self.addresses: dict[str, npt.NDArray[np.int32]] = {name: np.zeros(lines, dtype=np.int32) for name in ADDRESSES}
        self.protocol: npt.NDArray[np.int8] = np.zeros(lines, dtype=np.int8)
        self.state: npt.NDArray[np.int8] = np.zeros(lines, dtype=np.int8)  # 0 is null, n is STATES[n - 1]
        self.extra: dict[int, str] = {}  # slot -> text
        self.names: list[str] = []  # address texts by code
        self.prefixes: list[Prefix] = []  # in the order of `protocol` codes
        self.has_use = False
        self._code_of: dict[str, int] = {}
        self._keys: U64 = np.zeros(1, dtype=np.uint64)  # sorted; 0 is the key of no text
        self._codes: npt.NDArray[np.int32] = np.full(1, -1, dtype=np.int32)
        # A cache in front of them: each key has one place, and a key that is not there is looked up.
        self._cached_keys: U64 = np.zeros(1 << CACHE_BITS, dtype=np.uint64)
        self._cached_codes: npt.NDArray[np.int32] = np.full(1 << CACHE_BITS, -1, dtype=np.int32)

    def code(self, name: str) -> int:
        """The code of an address, the same in all four columns."""
        found = self._code_of.setdefault(name, len(self.names))
        if found == len(self.names):
            self.names.append(name)
        return found

    def ipv4_codes(self, keys: U64) -> npt.NDArray[np.int32]:
        """Codes of IPv4 keys; -1 where the text was no address. A key is turned into text once per file."""
        place = ((keys * _SPREAD) >> np.uint64(64 - CACHE_BITS)).view(np.int64)
        codes: npt.NDArray[np.int32] = self._cached_codes[place]
        missed = np.flatnonzero(self._cached_keys[place] != keys)
        if len(missed):
            found = self._look_up(keys[missed])
            codes[missed] = found
            # Two missed keys may want one place: keys and codes must come from the same row.
            places, rows = np.unique(place[missed], return_index=True)
            self._cached_keys[places] = keys[missed][rows]
            self._cached_codes[places] = found[rows]
        return codes

    def drop_caches(self) -> None:
        """Every address has its code: the memory is wanted for the frame."""
        self._cached_keys, self._cached_codes = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int32)

    def _look_up(self, keys: U64) -> npt.NDArray[np.int32]:
        import pandas as pd

        local, distinct = pd.factorize(keys)
        at = np.searchsorted(self._keys, distinct)
        at[at == len(self._keys)] = 0
        new = distinct[self._keys[at] != distinct]
        if len(new):
            names = map(ipv4_text, new.tolist())
            codes = np.fromiter((-1 if n is None else self.code(n) for n in names), dtype=np.int32, count=len(new))
            keys_, codes = np.concatenate((self._keys, new)), np.concatenate((self._codes, codes))
            order = np.argsort(keys_)
            self._keys, self._codes = keys_[order], codes[order]
            at = np.searchsorted(self._keys, distinct)
        found: npt.NDArray[np.int32] = self._codes[at][local]
        return found

    def left(self) -> list[int]:
        """Numbers of the lines that are not taken."""
        numbers: list[int] = (np.flatnonzero(~self.taken) + 1).tolist()
        return numbers

    def forget(self, lines: list[int]) -> bool:
        """Give lines back to the line reader; whether any of them had been taken."""
        slots = [line - 1 for line in lines if line <= len(self.taken) and self.taken[line - 1]]
        for slot in slots:
            self.taken[slot] = False
            self.extra.pop(slot, None)
        return bool(slots)
