"""Listening sockets of ``netstat -lntp``, ``-plant``, ``-W``, ``-e``, ``-o`` (net-tools).

Columns come from the title row::

    tcp        0      0 192.0.2.11:10250        0.0.0.0:*               LISTEN      1480/kubelet

Table ``listeners``. UDP rows have an empty state. The program is everything after the state; `-` means that it was not
shown. The UNIX domain and Bluetooth tables that follow are skipped with one note.

>>> listeners = parse(b"udp 0 0 0.0.0.0:68 0.0.0.0:* 612/dhclient", "netstat.txt").tables["listeners"]
>>> listeners.loc[0, ["state", "process"]].tolist()
['UNCONN', 'dhclient']
"""

from __future__ import annotations

import re

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.endpoints_text import Skipped, local_endpoint
from analyzer.parsers.fields import integer
from analyzer.tables import LISTENERS

TABLE = LISTENERS.name
_TITLE = re.compile(r"Active (\w+)")
_COLUMNS = re.compile(r"Proto\s+Recv-Q\s+Send-Q\s+Local Address")
_PROTOCOL = re.compile(r"(tcp|udp|sctp)(6?)")
_OTHER = re.compile(r"(?:raw6?|udplite6?|udpl6?|unix|l2cap|rfcomm|icmp6?|igmp)\s")
_STATES = frozenset(
    (
        *(
            "LISTEN",
            "ESTABLISHED",
            "SYN_SENT",
            "SYN_RECV",
            "FIN_WAIT1",
            "FIN_WAIT2",
            "TIME_WAIT",
            "CLOSE",
            "CLOSE_WAIT",
        ),
        *("LAST_ACK", "CLOSING", "UNKNOWN"),
    )
)
_TIMER = re.compile(r"\s(?:off|on|keepalive|timewait|probe|unkn-\d+) \([\d./-]{1,40}\)\s*$")
_PROGRAM = re.compile(r"(\d{1,10})/(.*)")
_ROW = re.compile(r"(?:tcp|udp)6? +\d+ +\d+ +(?=\S+?:\S)\S++ +(?=\S+?:\S)\S++(?: |$)")


def parse(data: bytes, file: str) -> Parsed:
    """Read the Internet tables of one listing."""
    unwrapped = envelope.lines(data)
    ledger = Ledger(file, (TABLE,))
    reader = _Reader(ledger, unwrapped.pairs)
    for number, text in unwrapped.pairs:
        if text.strip():
            reader.line(number, text.strip())
    reader.skipped.close()
    return unwrapped.close(ledger)


class _Reader:
    def __init__(self, ledger: Ledger, pairs: envelope.Pairs) -> None:
        self.ledger, self.skipped = ledger, Skipped(ledger)
        self.last = next((number for number, text in reversed(pairs) if text.strip()), 0)
        self.foreign_table = self.owners = False
        self.told: set[str] = set()

    def line(self, number: int, bare: str) -> None:
        if title := _TITLE.match(bare):
            self.foreign_table = title[1] != "Internet"
            self.ledger.furniture(number)
        elif _COLUMNS.match(bare):
            self.owners = " User " in bare and " Inode " in bare
            self.ledger.furniture(number)
        elif self.foreign_table or _OTHER.match(bare):
            self.skipped.line(number, bare, "lines of other families")
        elif bare.startswith("(") and bare.endswith(")"):
            self.ledger.furniture(number)  # "(Not all processes could be identified, ...)"
        else:
            self._socket(number, bare)

    def _socket(self, number: int, bare: str) -> None:
        tokens = bare.split(maxsplit=5)
        protocol = _PROTOCOL.fullmatch(tokens[0])
        if protocol is None:
            # continuation of "(Not all processes could be identified, non-owned process info\n will not be shown, ...)"
            known = "process info" in bare or "will not be shown" in bare
            self.ledger.furniture(number) if known else self.ledger.note(number, "unparsed", bare)
            return
        queues: list[int | None] = [integer(token) for token in tokens[1:3]]
        if len(queues) < 2 or None in queues:
            tokens, queues = ["", "", "", *bare.split(maxsplit=3)[1:]], [None, None]  # queue columns deleted by hand
        if len(tokens) < 5:
            cut = number == self.last
            self.ledger.note(number, "cut" if cut else "unparsed", bare, "the line ends early" if cut else "")
            return
        peer = tokens[4]
        rest = tokens[5] if len(tokens) > 5 else ""
        state, _, after = rest.partition(" ")
        if state in _STATES:
            rest = after.strip()
        else:
            state = ""
        if state not in ("LISTEN", "") or not peer.endswith(":*"):
            self.skipped.line(number, bare, "sockets that do not listen")
            return
        local = local_endpoint(tokens[3], any6_is_dual=True)
        if local is None:
            narrow = len(tokens[3]) >= 22  # without -W a long address is cut to its column
            self.ledger.note(number, "cut" if narrow else "unparsed", bare, "local endpoint")
            return
        udp = protocol[1] == "udp"
        process, pid, extra = self._program(rest)
        self.ledger.add(
            TABLE,
            number,
            protocol=protocol[1],
            family=local.family,
            address=local.address,
            port=local.port,
            scope_interface=local.scope,
            state="UNCONN" if udp and not state else state or None,
            recv_q=queues[0],
            send_q=queues[1],
            process=process,
            pid=pid,
            extra=extra,
        )
        if not udp and not state:
            self.ledger.also(number, "cut", bare, "state is missing")
        if local.address == "*" and "dual" not in self.told:
            self.told.add("dual")
            self.ledger.also(number, "assumed", bare, "`::` serves IPv4 too; an IPv6-only socket would look the same")
        for reason, detail in local.notes:
            self.ledger.also(number, reason, bare, detail)

    def _program(self, rest: str) -> tuple[str | None, int | None, str | None]:
        """Process, pid and extra texts from what follows the state: [user inode] pid/name [timer]."""
        extra: list[str] = []
        if timer := _TIMER.search(f" {rest}"):
            extra.append(timer.group().strip())
            rest = f" {rest}"[: timer.start()].strip()
        if self.owners:
            user, _, after = rest.partition(" ")
            inode, _, rest = after.strip().partition(" ")
            extra[:0] = [f"user={user}", f"inode={inode}"]
            rest = rest.strip()
        program = _PROGRAM.fullmatch(rest)
        if program is None and rest not in ("", "-"):
            extra.append(rest)
        text = " ".join(extra) or None
        return (program[2].strip() or None, int(program[1]), text) if program else (None, None, text)


def _sniff(head: Head) -> int:
    if any(line.startswith("Active Internet connections") for line in head.lines):
        return 95
    if any(_COLUMNS.match(line) for line in head.lines):
        return 90
    return 80 if any(_ROW.match(line.strip()) for line in head.lines) else 0


FORMS = (Form("netstat", "sockets", (TABLE,), (r"netstat",), _sniff, parse),)
