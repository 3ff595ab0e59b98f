"""Listening sockets of ``ss -lntup`` in its many column sets, with and without titles.

With or without Netid, State and process columns::

    tcp   LISTEN 0      511        127.0.0.1:6443       0.0.0.0:*    users:(("nginx",pid=945,fd=6))

Table ``listeners``: TCP and SCTP sockets in state LISTEN and UDP sockets in state UNCONN. Connected sockets and other
families are counted in one note each. A missing process column means that processes were not shown, not that there are
none.

>>> listeners = parse(b"LISTEN 0 511 *:10256 *:*", "ss-lnt.txt").tables["listeners"]
>>> listeners.loc[0, ["protocol", "address", "port"]].astype(str).tolist()
['tcp', '*', '10256']
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.endpoints_text import ANY4, Skipped, local_endpoint
from analyzer.parsers.fields import integer
from analyzer.tables import LISTENERS

TABLE = LISTENERS.name
KEPT = ("tcp", "udp", "sctp")
_NETIDS = frozenset(
    (
        *("nl", "u_str", "u_dgr", "u_seq", "p_raw", "p_dgr", "v_str", "v_dgr", "raw", "dccp", "icmp6", "xdp", "mptcp"),
        *("ti_rd", "ti_sq", "ti_st", "ti_dg", "???"),
        *KEPT,
    )
)
_STATES = frozenset(
    (
        *("LISTEN", "UNCONN", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSE-WAIT"),
        *("LAST-ACK", "CLOSING", "CLOSED", "UNKNOWN"),
    )
)
_TITLES = re.compile(r"(?:Netid\s+)?(?:State\s+)?Recv-Q\s+Send-Q\s+Local Address:Port")
_SUMMARY = re.compile(
    r"Total:? +\d+|TCP: +\d+|Transport +Total|(?:\*|RAW|UDP|TCP|INET|FRAG)\s+(?:\d+|-)\s+(?:\d+|-)\s+(?:\d+|-)"
)
_PROCESS = re.compile(r'\("(.{0,64}?)",(?:pid[=:])?(\d{1,10}),(?:fd[=:])?(\d{1,10})\)')
_ROW = re.compile(r"(?:(?:tcp|udp|sctp) +)?(?:LISTEN|UNCONN|ESTAB) +\d+ +\d+ +(?=\S+?:\S)\S++ +(?=\S+?:\S)\S++")
_NAMED = re.compile(r"\bss[-_ ]+([a-zA-Z46]+)")


@dataclass(slots=True)
class Socket:
    """One line taken apart; `rest` holds the texts after the peer, `shown` whether a process column was printed."""

    netid: str = ""
    state: str = ""
    queues: tuple[int | None, int | None] = (None, None)
    local: str = ""
    peer: str = ""
    rest: list[str] = field(default_factory=list)
    users: list[tuple[str, int]] | None = None


def take_apart(text: str) -> Socket | None:
    """Columns by shape; None when the line is no socket. The process column is read first, by its own grammar."""
    socket = Socket()
    at = text.find("users:((")
    left = text if at < 0 else text[:at]
    if at >= 0:
        socket.users, after = processes(text, at)
        socket.rest = after.split()
    tokens = left.split()
    if tokens and tokens[0] in _NETIDS:
        socket.netid = tokens.pop(0)
    if tokens and tokens[0] in _STATES:
        socket.state = tokens.pop(0)
    numbers: list[int | None] = []
    while len(numbers) < 2 and tokens and (number := integer(tokens[0])) is not None:
        numbers.append(number)
        tokens.pop(0)
    if len(numbers) == 2:
        socket.queues = (numbers[0], numbers[1])
    elif not socket.state or numbers:
        return socket if socket.netid and socket.netid not in KEPT else None
    if not tokens or (not socket.state and len(tokens) < 2):
        return None
    socket.local = tokens[0]
    if len(tokens) > 1 and ":" in tokens[1] and "(" not in tokens[1]:
        socket.peer = tokens[1]
    socket.rest = tokens[2 if socket.peer else 1 :] + socket.rest
    return socket


def processes(text: str, at: int) -> tuple[list[tuple[str, int]], str]:
    """Names and pids of `users:((...))` at `at`, in three generations of its form, and the text after it."""
    found: list[tuple[str, int]] = []
    at += len("users:(")
    while match := _PROCESS.match(text, at):
        found.append((match[1], int(match[2])))
        at = match.end() + (text[match.end() : match.end() + 1] == ",")
    return found, text[at:].removeprefix(")")


def parse(data: bytes, file: str) -> Parsed:
    """Read one listing."""
    unwrapped = envelope.lines(data)
    ledger = Ledger(file, (TABLE,))
    reader = _Reader(ledger, unwrapped, file)
    for number, text in unwrapped.pairs:
        if text.strip():
            reader.line(number, text)
    reader.skipped.close()
    only_summary = reader.summary and not reader.sockets
    if only_summary:
        ledger.also(reader.summary, "not-a-table", "ss -s", "a summary of counts, no sockets")
    return unwrapped.close(
        ledger, state="failed" if only_summary else None, detail="not-a-table" if only_summary else ""
    )


class _Reader:
    def __init__(self, ledger: Ledger, unwrapped: envelope.Envelope, file: str) -> None:
        self.ledger, self.skipped = ledger, Skipped(ledger)
        whole = [text for _, text in unwrapped.pairs]
        # iproute2 prints 0.0.0.0 and [::] since it has `*` mean both families; older ones print `*` and `:::`.
        current = any(ANY4 in text or "[" in text for text in whole)
        old = not current and any(" :::" in text for text in whole)
        self.star_is_dual, self.any6_is_dual = not old, old
        options = _NAMED.search(unwrapped.facts.get("command", "") or file.rpartition("/")[2].lower())
        self.options = options[1] if options else ""
        self.last = next((number for number, text in reversed(unwrapped.pairs) if text.strip()), 0)
        self.told: set[str] = set()
        self.summary = self.sockets = 0
        self.previous: dict[str, object] | None = None
        self.in_socket = self.has_peer = False

    def line(self, number: int, text: str) -> None:
        bare = text.strip()
        if _TITLES.match(bare):
            self.ledger.furniture(number)
            self.in_socket = False
            return
        if text[0] in " \t" and self.in_socket and take_apart(bare) is None:
            self._continue(number, bare)
            return
        if _SUMMARY.match(bare):
            self.summary = self.summary or number
            self.ledger.furniture(number)
            return
        socket = take_apart(bare)
        if socket is None:
            self.in_socket = False
            self.ledger.note(number, "unparsed", bare)
            return
        self.sockets, self.in_socket, self.previous = number, True, None
        if socket.netid and socket.netid not in KEPT:
            self.skipped.line(number, bare, "sockets of other families")
        else:
            self._socket(number, bare, socket)

    def _continue(self, number: int, bare: str) -> None:
        """The second line of `-i`, `-m`, `-o`: belongs to the socket above."""
        if self.previous is None:
            self.ledger.furniture(number)
            return
        self.ledger.row(number)
        extra = self.previous["extra"]
        self.previous["extra"] = bare if extra is None else f"{extra} {bare}"

    def _socket(self, number: int, bare: str, socket: Socket) -> None:
        if not socket.peer and number == self.last and self.has_peer:
            self.ledger.note(number, "cut", bare, "the line ends early")
            return
        self.has_peer = self.has_peer or bool(socket.peer)
        state = socket.state
        if not state:
            state = ("UNCONN" if socket.netid == "udp" else "LISTEN") if socket.peer.endswith(":*") else "ESTAB"
            self._once(number, bare, "state from the peer's port")
        protocol = socket.netid or self._protocol(number, bare, state)
        if state != ("UNCONN" if protocol == "udp" else "LISTEN"):
            self.skipped.line(number, bare, "sockets that do not listen")
            return
        local = local_endpoint(socket.local, star_is_dual=self.star_is_dual, any6_is_dual=self.any6_is_dual)
        if local is None:
            self.ledger.note(number, "unparsed", bare, "local endpoint")
            return
        if socket.local.startswith(":::") and self.any6_is_dual:
            self._once(number, bare, "`::` serves IPv4 too; an IPv6-only socket would look the same")
        names = None if socket.users is None else ",".join(dict.fromkeys(name for name, _ in socket.users)) or None
        self.previous = self.ledger.add(
            TABLE,
            number,
            protocol=protocol,
            family=local.family,
            address=local.address,
            port=local.port,
            scope_interface=local.scope,
            state=state,
            recv_q=socket.queues[0],
            send_q=socket.queues[1],
            process=names,
            pid=socket.users[0][1] if socket.users else None,
            extra=" ".join(socket.rest) or None,
        )
        for reason, detail in local.notes:
            self.ledger.also(number, reason, bare, detail)

    def _protocol(self, number: int, bare: str, state: str) -> str:
        """From the options of the command, else from the state."""
        chosen = [name for letter, name in (("t", "tcp"), ("u", "udp"), ("S", "sctp")) if letter in self.options]
        by_state = "udp" if state == "UNCONN" else "tcp"
        if len(chosen) == 1:
            return chosen[0]
        if by_state not in chosen:
            self._once(number, bare, "protocol from the state: LISTEN is tcp, UNCONN is udp")
        return by_state

    def _once(self, number: int, bare: str, detail: str) -> None:
        if detail not in self.told:
            self.told.add(detail)
            self.ledger.also(number, "assumed", bare, detail)


def _sniff(head: Head) -> int:
    if any(_TITLES.match(line.strip()) for line in head.lines):
        return 95
    if any(_ROW.match(line.strip()) for line in head.lines):
        return 85
    return 50 if sum(1 for line in head.lines[:12] if _SUMMARY.match(line.strip())) > 3 else 0


FORMS = (Form("ss", "sockets", (TABLE,), (r"(?:^|[^a-z])ss[-_ .]", r"^sockets"), _sniff, parse),)
