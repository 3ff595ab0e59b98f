"""Line by line reader of conntrack entries: ``conntrack -L``, ``-o extended``, ``-E``, ``/proc/net/nf_conntrack``.

It reads every variant by key and is the reference for the column-wise reader (`conntrack_fast`), which hands over the
lines it cannot take. NAT is never decided here: it is the difference of the two tuples.

>>> flow = read_flow("udp      17 27 src=192.0.2.9 dst=203.0.113.53 sport=40222 dport=53 [UNREPLIED] "
...                  "src=192.0.2.44 dst=192.0.2.9 sport=53 dport=40222 use=1")
>>> flow.values["reply_src"], flow.values["orig_dport"], flow.values["unreplied"]
('192.0.2.44', 53, True)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from analyzer.parsers import envelope
from analyzer.parsers.base import Ledger, Parsed, Reason
from analyzer.parsers.fields import address, hexadecimal, integer, looks_masked

TABLE = "connections"
# conntrack-tools prints the trailer to standard error, so it lands anywhere in a file that holds both streams.
TRAILER = re.compile(
    r"conntrack v[\w.~+-]{1,40} \(conntrack-tools\): (?P<count>\d{1,15}) (?P<what>flow entries|expectations) "
    r"have been (?P<done>shown|deleted|updated|created)\.?"
)
FLOW = re.compile(r"(?P<l3>ipv[46] +\d{1,3} +)?(?P<protocol>[a-z][a-z0-9_-]{0,15}) +(?P<number>\d{1,3})(?: |$)")
_TOKEN = re.compile(r"\[[^\]\[]*\]|\S+")
_STATE = re.compile(r"[A-Z][A-Z0-9_]*")
_STAMP = re.compile(r"\[\d+\.\d+\]")
_STATISTICS = re.compile(r"cpu=\d+\s+(?:found|searched)=\d+")
_EXPECTATION = re.compile(r"(?:\d+|-) (?:l3proto = \d+ )?proto=\d+ ")
_EVENTS = ("[NEW]", "[UPDATE]", "[DESTROY]")
_FLAGS = {"[UNREPLIED]": "unreplied", "[ASSURED]": "assured", "[OFFLOAD]": "offload", "[HW_OFFLOAD]": "offload"}
_PORTS = {"sport": "sport", "dport": "dport"}
_COUNTERS = {"packets": "packets", "bytes": "bytes"}
# Printed by conntrack-tools or the kernel but without a column of their own: kept as text, not worth a note.
EXTRA_KEYS = frozenset(
    (
        *("type", "code", "id", "srckey", "dstkey", "timeout", "stream_timeout"),
        *("secctx", "secmark", "helper", "labels", "delta-time", "zone-orig", "zone-reply"),
    )
)
# Kernel, nf_conntrack_proto_icmp.c and _icmpv6.c: only these types make an entry (requests and their replies).
ICMP_TYPES = {"icmp": frozenset((0, 8, 13, 14, 15, 16, 17, 18)), "icmpv6": frozenset((128, 129, 139, 140))}


@dataclass(slots=True)
class Flow:
    """One entry: values by column, the extra texts, whether `use=` was read, and what is to be noted about it."""

    values: dict[str, Any] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[tuple[Reason, str]] = field(default_factory=list)
    has_use: bool = False


@dataclass(slots=True)
class Outcome:
    """What the lines said: rows, the trailers' sum and last line, the origin, if `use=` occurs, and what was noted."""

    declared: int | None = None
    trailer_line: int = 0
    trailer_text: str = ""
    deleted: bool = False
    has_use: bool = False
    statistics: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)
    told: set[str] = field(default_factory=set)


def read_flow(text: str) -> Flow | None:
    """One entry from its line; None when the line is no entry."""
    tokens = _TOKEN.findall(text)
    flow = Flow()
    values = flow.values
    values["origin"] = "live"
    if tokens and _STAMP.fullmatch(tokens[0]):  # `-o timestamp`
        flow.extra.append(tokens.pop(0))
    if tokens and tokens[0] in _EVENTS:
        values["origin"] = "event"
        if tokens[0] == "[DESTROY]":
            flow.extra.append(tokens[0])
        tokens.pop(0)
    if len(tokens) > 2 and tokens[0] in ("ipv4", "ipv6") and integer(tokens[1], 255) is not None:
        values["family"] = int(tokens[0][3])
        del tokens[:2]
    number = integer(tokens[1], 255) if len(tokens) > 2 else None
    if number is None or FLOW.match(f"{tokens[0]} {tokens[1]} ") is None:
        return None
    values["protocol"], values["protonum"] = tokens[0], number
    direction = ""
    for token in tokens[2:]:
        key, equal, value = token.partition("=")
        if token[0] == "[":
            if token in _FLAGS:
                values[_FLAGS[token]] = True
            else:
                _keep(flow, token, known=token.startswith(("[start=", "[stop=")))
        elif not equal:
            if not direction and "timeout_s" not in values and (seconds := integer(token)) is not None:
                values["timeout_s"] = seconds
            elif not direction and "state" not in values and _STATE.fullmatch(token):
                values["state"] = token
            else:
                _keep(flow, token)
        elif key == "src":
            if direction == "reply":
                return None  # two entries on one line: line ends were lost
            direction = "reply" if direction else "orig"
            _address(flow, f"{direction}_src", value)
        elif not direction or (key not in ("dst", "mark", "zone", "use") and key not in _PORTS | _COUNTERS):
            _keep(flow, token, known=key in EXTRA_KEYS)
            if key == "type" and number in (1, 58):
                _icmp_type(flow, value)
        elif key == "dst":
            if f"{direction}_dst" in values:
                return None
            _address(flow, f"{direction}_dst", value)
        else:
            _number(flow, direction, key, value)
    if "orig_dst" not in values:
        return None
    return _complete(flow)


def _complete(flow: Flow) -> Flow:
    values = flow.values
    for flag in ("unreplied", "assured", "offload"):
        values.setdefault(flag, False)
    if "reply_src" not in values or "reply_dst" not in values:
        flow.notes.append(("unparsed", "reply tuple is missing"))
    printed = next((a for a in (values["orig_src"], values["orig_dst"], values.get("reply_src")) if a), None)
    if printed is not None:
        values["family"] = 6 if ":" in printed else 4
    if flow.extra:
        values["extra"] = " ".join(flow.extra)
    return flow


def _keep(flow: Flow, token: str, known: bool = False) -> None:
    flow.extra.append(token)
    if not known:
        flow.unknown.append(token.partition("=")[0])


def _address(flow: Flow, column: str, value: str) -> None:
    flow.values[column] = address(value)
    if flow.values[column] is None:
        reason: Reason = "masked" if looks_masked(value) or value.count(".") == 3 else "unparsed"
        flow.notes.append((reason, f"{column}={value[:60]}"))


def _number(flow: Flow, direction: str, key: str, value: str) -> None:
    """`sport dport packets bytes` of the current direction, or `mark zone use` of the entry."""
    number = integer(value)
    if key == "use":
        flow.has_use = number is not None
        column = ""
    elif key in ("mark", "zone"):
        column = key
        if number is None and value[:2] == "0x":
            number = hexadecimal(value)
    else:
        column = f"{direction}_{key}"
    if number is None:
        masked = bool(value) and looks_masked(value)
        flow.notes.append(("masked" if masked else "unparsed", f"{key}={value[:60]}"))
    elif key in _PORTS and number > 65535:
        flow.notes.append(("suspect", f"{key}={number} is above 65535"))
    if column:
        flow.values[column] = number


def _icmp_type(flow: Flow, value: str) -> None:
    number = integer(value)
    protocol = "icmp" if flow.values["protonum"] == 1 else "icmpv6"
    if number not in ICMP_TYPES[protocol]:
        flow.notes.append(("suspect", f"type={value[:20]}: no such {protocol} entry can exist"))


def last_flow(pairs: envelope.Pairs) -> int:
    """The number of the last line that looks like an entry, 0 when there is none."""
    return next((number for number, text in reversed(pairs) if FLOW.match(text.lstrip())), 0)


def read(pairs: envelope.Pairs, ledger: Ledger, *, last: int, has_use: bool = False) -> Outcome:
    """Read lines into `ledger`; `last` is the file's last entry (it may be cut), `has_use` if others print `use=`."""
    outcome = Outcome(has_use=has_use)
    in_log = False
    skip = 0
    for index, (number, text) in enumerate(pairs):
        if number == skip or not text.strip():
            continue
        if trailer := TRAILER.search(text):
            _trailer(outcome, trailer, number, text)
            before = text[: trailer.start()]
            following = pairs[index + 1] if index + 1 < len(pairs) else (0, "")
            rest = text[trailer.end() :] + (following[1] if following[0] == number + 1 else "")
            if not before.strip():
                ledger.furniture(number)
                continue
            if rest.strip() and (flow := read_flow(before + rest)) and not flow.notes:
                _add(ledger, outcome, number, before + rest, flow)
                if following[0] == number + 1 and following[1].strip():
                    ledger.row(number + 1)
                    skip = number + 1
                continue
            bare = before.strip()
        else:
            bare = text.strip()
        flow = read_flow(bare)
        if number == last and outcome.has_use and (flow is None or not flow.has_use):
            flow = read_flow(bare.rpartition(" ")[0])  # the last value may be a part of one
            if flow is not None:
                flow.notes = [("cut", "the entry ends early")]
            else:
                ledger.note(number, "cut", bare, "the entry ends early")
                continue
        if flow is not None:
            if in_log:
                flow.values["origin"] = "deleted"
            _add(ledger, outcome, number, bare, flow)
        elif bare.startswith("output=<") or (in_log and bare == ">"):
            in_log = bare != ">"
            ledger.furniture(number)
        else:
            _no_flow(ledger, outcome, number, bare)
    return outcome


def _trailer(outcome: Outcome, trailer: re.Match[str], number: int, text: str) -> None:
    outcome.trailer_line, outcome.trailer_text = number, text
    if trailer["what"] == "flow entries":
        outcome.declared = (outcome.declared or 0) + int(trailer["count"])
        outcome.deleted = outcome.deleted or trailer["done"] == "deleted"


def _add(ledger: Ledger, outcome: Outcome, number: int, text: str, flow: Flow) -> None:
    outcome.rows.append(ledger.add(TABLE, number, **flow.values))
    outcome.has_use = outcome.has_use or flow.has_use
    for reason, detail in flow.notes:
        ledger.also(number, reason, text, detail)
    for key in flow.unknown:
        if key not in outcome.told and len(outcome.told) < 1000:
            outcome.told.add(key)
            ledger.also(number, "extra", text, key[:60])
    if flow.values["origin"] != "live" and "\0not-live" not in outcome.told:
        outcome.told.add("\0not-live")
        ledger.also(number, "not-live", text, f"{flow.values['origin']} entries are kept apart from the live table")


def _no_flow(ledger: Ledger, outcome: Outcome, number: int, bare: str) -> None:
    if _STATISTICS.match(bare):
        outcome.statistics = True
        if "\0stats" in outcome.told:
            ledger.furniture(number)
        else:
            outcome.told.add("\0stats")
            ledger.note(number, "not-a-table", bare, "counters of conntrack -S, no entries")
    elif _EXPECTATION.match(bare):
        ledger.note(number, "not-live", bare, "an expectation, not an entry")
    elif number == 1 and " src=" in bare and not FLOW.match(bare):
        ledger.note(number, "cut", bare, "the entry begins early")
    else:
        ledger.note(number, "unparsed", bare)


def finish(ledger: Ledger, outcome: Outcome, rows: int) -> None:
    """Compare the trailers' total with the rows of the whole file, and say so when entries were deleted ones."""
    line, text = outcome.trailer_line, outcome.trailer_text
    if outcome.declared is not None and outcome.declared != rows:
        ledger.also(line, "count", text, f"{outcome.declared} declared, {rows} read")
    if outcome.deleted:
        ledger.also(line, "not-live", text, "the entries were deleted by this command")


def parse(data: bytes, file: str) -> Parsed:
    """Read one capture line by line."""
    unwrapped = envelope.lines(data)
    ledger = Ledger(file, (TABLE,))
    outcome = read(unwrapped.pairs, ledger, last=last_flow(unwrapped.pairs))
    rows = ledger.count(TABLE)
    finish(ledger, outcome, rows)
    if outcome.deleted:
        for row in outcome.rows:
            row["origin"] = "deleted"
    return unwrapped.close(ledger, state="failed" if outcome.statistics and not rows else None)
