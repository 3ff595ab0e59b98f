"""Lines of `nft list ruleset` as rules in the language of iptables, so that one evaluator runs both.

What kube-proxy writes (pkg/proxy/nftables/proxier.go) and plain host firewalls use is read: addresses, ports, protocol,
interfaces, connection state, marks, local addresses, named and anonymous sets, maps of verdicts, `numgen random`, NAT. A line
with anything else keeps its place as a rule of which it is not known whether it matches or what it does.

>>> [rule.target for rule in nft_rules("ct state new jump services", {})]
['services']
>>> [(m.option, m.inverted, m.values) for m in nft_rules("ip daddr 10.0.0.1 tcp dport { 80, 443 } drop", {})[0].matches]
[('-d', False, ('10.0.0.1',)), ('-p', False, ('tcp',)), ('--dports', False, ('80,443',))]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from analyzer.parsers.iptables_rule import Match, Rule

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{},]|[^\s{},]+')
_COUNTER = re.compile(r"counter(?: packets \d+ bytes \d+)?")
SILENT = frozenset(["counter", "log", "nftrace", "notrack"])
MAX_ELEMENTS = 200_000
MANY = 8
NATS = {"dnat": "DNAT", "snat": "SNAT"}
VERDICTS = frozenset(["accept", "drop", "return", "jump", "goto", "reject", "queue", "continue"])
SERVICES = {
    "ssh": "22", "domain": "53", "http": "80", "https": "443", "ntp": "123", "bgp": "179", "nfs": "2049", "mdns": "5353",
}  # fmt: skip


class Unread(Exception):
    """A part of a line that this does not read."""


class OtherFamily(Exception):
    """The line is for packets of the other address family."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a set or map: its key as words between dots, and for a map of verdicts what it leads to."""

    key: tuple[str, ...]
    verdict: tuple[str, ...] = ()
    where: int = 0
    """Which line of the object it stands on, from 0."""


Sets = Mapping[str, Sequence[Element]]
"""Name of a set or map of the same table -> its elements."""


@dataclass
class _Line:
    """Words not yet read, and the conditions read so far."""

    words: list[str]
    sets: Sets
    family: int = 4
    matches: list[Match] = field(default_factory=list)

    def next(self) -> str:
        if not self.words:
            raise Unread("the line ends early")
        return self.words.pop(0)

    def peek(self) -> str:
        return self.words[0] if self.words else ""

    def add(self, module: str, option: str, values: tuple[str, ...], *, inverted: bool = False) -> None:
        self.matches.append(Match(module, option, inverted, values))


def nft_rules(text: str, sets: Sets, family: int = 4) -> tuple[Rule, ...]:
    """The rules one line stands for, in order: several where it asks a map or a set of several addresses and ports.

    Args:
        text: one line of a chain, without its comment.
        sets: the elements of the sets and maps of its table.
        family: 4 or 6; a line for the other one (``meta nfproto``) gives no rule.
    """
    return tuple(rule for rule, _ in nft_rules_with_place(text, sets, family))


def nft_rules_with_place(text: str, sets: Sets, family: int = 4) -> Iterator[tuple[Rule, tuple[str, int] | None]]:
    """The same with, for a rule that an element of a named map makes, the map and the element's line in it."""
    bare = _COUNTER.sub("", re.sub(r'(?<!\s)\s*+comment "(?:[^"\\]|\\.)*+"', "", text)).strip()
    line = _Line(_WORD.findall(bare), sets, family)
    try:
        for rule, place in list(_read(line, bare)):
            yield from ((one, place) for one in _by_destination(rule))
    except OtherFamily:
        return
    except (Unread, ValueError, IndexError):
        target = next((word for word in line.words if word in ("accept", "drop", "return")), None)
        yield Rule(bare, (), "NFT" if target is None else target.upper(), False, (), None, ("nft",)), None


def _read(line: _Line, text: str) -> Iterator[tuple[Rule, tuple[str, int] | None]]:
    while line.words:
        word = line.peek()
        if word == "set" or (word in ("update", "add", "delete") and line.words[1:2] and line.words[1].startswith("@")):
            return  # remembers a client for affinity; packets are not affected
        if word == "numgen":
            yield from ((rule, None) for rule in _spread(line, text))
            return
        if "vmap" in line.words and _is_key(line.words):
            yield from _mapped(line, text)
            return
        rule = _statement(line, text)
        if rule is not None:
            yield rule, None
            return
    # only counts or logs


def _statement(line: _Line, text: str) -> Rule | None:
    """Read one condition or statement; a final statement gives the rule."""
    if line.words[:2] == ["mark", "set"] or line.words[:3] == ["meta", "mark", "set"]:
        return _set_mark(line, text)
    word = line.next()
    reader = _CONDITIONS.get(word)
    if reader is not None:
        reader(line)
        return None
    match word:
        case "log":
            line.words.clear()
            return None
        case "limit":
            raise Unread("limit")
        case "notrack":
            return _rule(line, text, "CT", (("--notrack", ()),))
        case "masquerade":
            return _rule(line, text, "MASQUERADE", ())
        case "redirect":
            port = line.words[-1].lstrip(":") if line.words[:1] == ["to"] else ""
            return _rule(line, text, "REDIRECT", (("--to-ports", (port,)),) if port else ())
        case "dnat" | "snat":
            if line.peek() in ("ip", "ip6"):
                line.next()
            if line.next() != "to":
                raise Unread(word)
            place = line.next()
            if place.startswith("@") or line.peek() in (".", "map", "prefix"):
                raise Unread(place)
            return _rule(line, text, NATS[word], ((f"--to-{'destination' if word == 'dnat' else 'source'}", (place,)),))
    if word in VERDICTS:
        return _verdict(line, text, (word, *line.words))
    raise Unread(word)


def _set_mark(line: _Line, text: str) -> Rule:
    """``meta mark set meta mark | 0x4000``, ``mark set mark xor 0x4000``, ``mark set 0x1``."""
    words = [word for word in line.words[line.words.index("set") + 1 :] if word not in ("meta", "mark")]
    option = {"|": "--or-mark", "or": "--or-mark", "^": "--xor-mark", "xor": "--xor-mark", "&": "--and-mark",
              "and": "--and-mark"}.get(words[0], "")  # fmt: skip
    if option and len(words) == 2:
        return _rule(line, text, "MARK", ((option, (f"{int(words[1], 0):#x}",)),))
    if len(words) == 1:
        return _rule(line, text, "MARK", (("--set-mark", (f"{int(words[0], 0):#x}",)),))
    raise Unread("mark set")


def _by_destination(rule: Rule) -> Iterator[Rule]:
    """One rule per address where a line asks for one of many: a long chain is searched by destination."""
    for position, match in enumerate(rule.matches):
        if match.option == "-d" and not match.inverted and match.values[0].count(",") >= MANY:
            for value in match.values[0].split(","):
                one = replace(match, values=(value,))
                yield replace(rule, matches=(*rule.matches[:position], one, *rule.matches[position + 1 :]))
            return
    yield rule


def _verdict(line: _Line, text: str, words: tuple[str, ...]) -> Rule:
    match words:
        case ("accept",) | ("drop",) | ("return",):
            return _rule(line, text, words[0].upper(), ())
        case ("jump", chain):
            return _rule(line, text, chain, ())
        case ("goto", chain):
            return replace(_rule(line, text, chain, ()), goto=True)
        case ("reject", *rest):
            kind = rest[-1] if len(rest) > 1 else "port-unreachable"
            name = "tcp-reset" if "tcp" in rest else f"icmp-{kind}" if not kind.startswith("icmp") else kind
            return _rule(line, text, "REJECT", (("--reject-with", (name,)),))
    raise Unread(" ".join(words))


def _rule(line: _Line, text: str, target: str, options: tuple[tuple[str, tuple[str, ...]], ...]) -> Rule:
    return Rule(text, tuple(line.matches), target, False, options, None, ())


# ---------------------------------------------------------------------- maps of verdicts


def _is_key(words: Sequence[str]) -> bool:
    """Whether the words up to ``vmap`` are one key: fields between dots."""
    key = words[: words.index("vmap")]
    fields = " ".join(key).split(" . ")
    return all(field_ in _KEYS for field_ in fields)


def _mapped(line: _Line, text: str) -> Iterator[tuple[Rule, tuple[str, int] | None]]:
    stop = line.words.index("vmap")
    fields = " ".join(line.words[:stop]).split(" . ")
    line.words = line.words[stop + 1 :]
    name = line.peek().removeprefix("@")
    if line.peek().startswith("@"):
        if name not in line.sets:
            raise Unread(f"@{name}")
        elements: Sequence[Element] = line.sets[name]
    else:
        elements, name = elements_of(" ".join(line.words)), ""
    for element in elements:
        if len(element.key) != len(fields) or not element.verdict:
            raise Unread("an element of another shape")
        here = _Line([], line.sets, line.family, list(line.matches))
        for field_, value in zip(fields, element.key, strict=True):
            _keyed(here, field_, value)
        yield _verdict(here, text, element.verdict), (name, element.where) if name else None


def _keyed(line: _Line, field_: str, value: str) -> None:
    match field_:
        case "ip daddr" | "ip6 daddr":
            line.add("ip", "-d", (value,))
        case "ip saddr" | "ip6 saddr":
            line.add("ip", "-s", (value,))
        case "meta l4proto" | "ip protocol" | "ip6 nexthdr":
            line.add("ip", "-p", (value,))
        case "th dport" | "tcp dport" | "udp dport" | "sctp dport":
            proto = field_.split(maxsplit=1)[0]
            if proto != "th":
                line.add("ip", "-p", (proto,))
            line.add("multiport", "--dports", (_port(value),))
        case "iifname":
            line.add("ip", "-i", (_interface(value),))
        case "fib daddr type":
            line.add("addrtype", "--dst-type", (value.upper(),))
        case "ct state":
            line.add("conntrack", "--ctstate", (value.upper(),))


_KEYS = frozenset(
    [
        "ip daddr", "ip6 daddr", "ip saddr", "ip6 saddr", "meta l4proto", "ip protocol", "ip6 nexthdr", "th dport", "tcp dport",
        "udp dport", "sctp dport", "iifname", "fib daddr type", "ct state",
    ]
)  # fmt: skip


def _spread(line: _Line, text: str) -> Iterator[Rule]:
    """``numgen random mod N vmap { 0 : goto a, 1 : goto b }`` as a chain of shares."""
    head = [line.next() for _ in range(4)]
    if head[:1] + head[2:3] != ["numgen", "mod"] or line.next() != "vmap":
        raise Unread("numgen")
    elements = elements_of(" ".join(line.words))
    for position, element in enumerate(elements):
        left = len(elements) - position
        here = _Line([], line.sets, line.family, list(line.matches))
        if left > 1:
            here.add("statistic", "--mode", ("random",))
            here.add("statistic", "--probability", (f"{1 / left:.11f}",))
        yield _verdict(here, text, element.verdict)


def elements_of(text: str, where: int = 0) -> tuple[Element, ...]:
    """The elements between braces; comments, timeouts and counters of an element are left out.

    >>> elements_of('{ 10.0.0.1 . tcp . 80 comment "a, b" : goto x, 10.0.0.2 . udp . 53 : drop }')[0]
    Element(key=('10.0.0.1', 'tcp', '80'), verdict=('goto', 'x'), where=0)
    """
    bare = re.sub(
        r'\s(?:comment "(?:[^"\\]|\\.)*"|(?:timeout|expires) \S+|counter packets \d+ bytes \d+)', "", text.strip()
    )
    inner = bare.removeprefix("{").removesuffix("}")
    found = []
    for part in inner.split(","):
        if not part.strip():
            continue
        key, _, verdict = part.partition(" : ")
        found.append(Element(tuple(word.strip() for word in key.split(" . ")), tuple(verdict.split()), where))
        if len(found) > MAX_ELEMENTS:
            raise Unread("too many elements")
    return tuple(found)


# ---------------------------------------------------------------------- conditions


def _operator(line: _Line) -> bool:
    """An optional ``==`` or ``!=``; true for the latter."""
    if line.peek() in ("==", "!="):
        return line.next() == "!="
    return False


def _values(line: _Line) -> tuple[str, ...]:
    """One value, an anonymous set, or a named set."""
    word = line.next()
    if word.startswith("@"):
        name = word[1:]
        if name.startswith("affinity-"):
            raise Unread(name)
        if name not in line.sets:
            raise Unread(word)
        return tuple(" . ".join(element.key) for element in line.sets[name])
    if word != "{":
        while line.peek() == "," and len(line.words) > 1:  # ct state established,related
            line.next()
            word += f",{line.next()}"
        return tuple(word.split(","))
    values = []
    while (word := line.next()) != "}":
        if word != ",":
            values.append(word)
    return tuple(values)


def _address(line: _Line) -> None:
    option = {"saddr": "-s", "daddr": "-d"}.get(line.next(), "")
    if not option:
        raise Unread("ip")
    inverted = _operator(line)
    if option == "-s" and line.peek().startswith("@affinity-"):
        line.add("recent", "--rcheck", ())
        line.next()
        return
    values = _values(line)
    if any("-" in value for value in values):
        if len(values) > 1:
            raise Unread("several ranges")
        line.add("iprange", "--src-range" if option == "-s" else "--dst-range", values, inverted=inverted)
        return
    line.add("ip", option, (",".join(values) or "0.0.0.0/32",), inverted=inverted)


def _ip(line: _Line) -> None:
    if line.peek() in ("protocol", "nexthdr"):
        line.next()
        _protocol(line)
        return
    _address(line)


def _protocol(line: _Line) -> None:
    inverted = _operator(line)
    values = _values(line)
    if len(values) > 1:
        raise Unread("several protocols")
    line.add("ip", "-p", values, inverted=inverted)


def _ports(protocol: str) -> Callable[[_Line], None]:
    def read(line: _Line) -> None:
        side = line.next()
        if side not in ("dport", "sport"):
            raise Unread(f"{protocol} {side}")
        inverted = _operator(line)
        values = ",".join(_port(value) for value in _values(line))
        if protocol != "th":
            line.add("ip", "-p", (protocol,))
        line.add("multiport", f"--{side}s", (values,), inverted=inverted)

    return read


def _port(value: str) -> str:
    named = SERVICES.get(value, value)
    if not re.fullmatch(r"\d+(-\d+)?", named):
        raise Unread(f"port {value}")
    return named.replace("-", ":")


def _interface(value: str) -> str:
    name = value.strip('"')
    return f"{name[:-1]}+" if name.endswith("*") else name


def _interfaces(option: str) -> Callable[[_Line], None]:
    def read(line: _Line) -> None:
        inverted = _operator(line)
        values = _values(line)
        if len(values) > 1:
            raise Unread("several interfaces")
        line.add("ip", option, (_interface(values[0]),), inverted=inverted)

    return read


def _meta(line: _Line) -> None:
    match line.next():
        case "l4proto":
            _protocol(line)
        case "mark":
            _mark(line)
        case "iifname":
            _interfaces("-i")(line)
        case "oifname":
            _interfaces("-o")(line)
        case "nfproto":
            if _values(line) != (f"ipv{line.family}",):
                raise OtherFamily
        case other:
            raise Unread(f"meta {other}")


def _mark(line: _Line) -> None:
    """``meta mark & 0x4000 == 0x0``, ``mark and 0x4000 == 0``; setting one is a target."""
    if line.peek() in ("&", "and"):
        line.next()
        mask = int(line.next(), 0)
        inverted = _operator(line)
        value = int(line.next(), 0)
        line.add("mark", "--mark", (f"{value:#x}/{mask:#x}",), inverted=inverted)
        return
    inverted = _operator(line)
    line.add("mark", "--mark", (f"{int(line.next(), 0):#x}",), inverted=inverted)


def _ct(line: _Line) -> None:
    what = line.next()
    if what not in ("state", "status"):
        raise Unread(f"ct {what}")
    inverted = _operator(line)
    values = ",".join(value.upper() for value in _values(line))
    if what == "status":
        if values != "DNAT":
            raise Unread("ct status")
        line.add("conntrack", "--ctstate", ("DNAT",), inverted=inverted)
        return
    line.add("conntrack", "--ctstate", (values,), inverted=inverted)


def _other_protocol(name: str) -> Callable[[_Line], None]:
    """A condition on icmp, esp and the like: the connections walked here are none of these."""

    def read(line: _Line) -> None:
        while line.words and line.peek() not in (*VERDICTS, *NATS, *SILENT):
            line.next()
        line.add("icmp" if name.startswith("icmp") else name, "type", ())

    return read


def _fib(line: _Line) -> None:
    side = line.next()
    if side not in ("daddr", "saddr") or line.next() != "type":
        raise Unread("fib")
    inverted = _operator(line)
    values = ",".join(value.upper() for value in _values(line))
    line.add("addrtype", "--dst-type" if side == "daddr" else "--src-type", (values,), inverted=inverted)


_CONDITIONS: dict[str, Callable[[_Line], None]] = {
    "ip": _ip,
    "ip6": _ip,
    "tcp": _ports("tcp"),
    "udp": _ports("udp"),
    "sctp": _ports("sctp"),
    "th": _ports("th"),
    "iifname": _interfaces("-i"),
    "oifname": _interfaces("-o"),
    "iif": _interfaces("-i"),
    "oif": _interfaces("-o"),
    "meta": _meta,
    "mark": _mark,
    "ct": _ct,
    "fib": _fib,
    **{name: _other_protocol(name) for name in ("icmp", "icmpv6", "igmp", "esp", "ah")},
}
