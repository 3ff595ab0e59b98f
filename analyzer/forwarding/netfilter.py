"""Runs iptables chains on one packet, rule by rule.

A match is true, false or unknown. An unknown one is a choice point: the walk is made for both answers, and if they lead
to different outcomes the verdict is unknown and names the rule. So an unknown match taints its rule, never the table.
Semantics: iptables-extensions(8), ip_tables.c (a RETURN from a built-in chain meets the policy, goto does not come back).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from analyzer.forwarding.addresses import contains, family_of, is_multicast, number
from analyzer.forwarding.model import Packet
from analyzer.forwarding.state import Chain, ChainRule, NodeState
from analyzer.parsers.iptables_rule import Match, Rule

MAX_DEPTH = 64
MAX_RULES = 20_000

# Targets that let the packet go on and change nothing a verdict depends on.
NEUTRAL_TARGETS = frozenset(
    [
        "LOG",
        "NFLOG",
        "ULOG",
        "TRACE",
        "AUDIT",
        "CHECKSUM",
        "TCPMSS",
        "TOS",
        "DSCP",
        "TTL",
        "HL",
        "CLASSIFY",
        "SET",
        "SECMARK",
        "CONNSECMARK",
        "IDLETIMER",
        "LED",
        "RATEEST",
        "HMARK",
        "TEE",
        "TCPOPTSTRIP",
        "SYNPROXY",
    ]
)
REFUSING_REJECTS = frozenset(
    {"icmp-port-unreachable", "port-unreach", "tcp-reset", "icmp6-port-unreachable", "tcp-rst"}
)


@dataclass(frozen=True)
class Meta:
    """What a rule can ask about a packet besides its 5-tuple."""

    iif: str = ""
    oif: str = ""
    state: str = "NEW"
    dnat: bool = False
    snat: bool = False
    orig_dst: str = ""
    orig_dport: int = 0
    reply_direction: bool = False
    ipvs_vaddr: str = ""
    ipvs_vport: int = 0
    physdev_in: str = ""
    physdev_out: str = ""
    from_host: bool = False
    icmp_error: bool = False
    connmark: int = 0


@dataclass(frozen=True)
class Ruling:
    """What the chain decided: accept, drop, reject, dnat, snat, masquerade, redirect; and the packet as it left."""

    action: str
    packet: Packet
    rule: ChainRule | None = None
    chain: str = ""
    with_: str = ""
    to: tuple[str, int | None] = ("", None)
    passed: tuple[tuple[str, ChainRule], ...] = ()
    """Rules on the way that set a mark or decided by a RETURN or ACCEPT, with their chain, for the trace."""
    untracked: bool = False


@dataclass
class _Run:
    packet: Packet
    passed: list[tuple[str, ChainRule]] = field(default_factory=list)
    rules: int = 0
    untracked: bool = False


Chooser = Callable[[str, str, int], int]
"""(kind, what, number of options) -> index. Kind is "unknown" for an undecidable match, "random" for statistic."""


class Netfilter:
    """The chains of one node, applied to packets."""

    def __init__(self, state: NodeState, choose: Chooser) -> None:
        self.state = state
        self.choose = choose

    def has_table(self, family: int, table: str) -> bool:
        return (family, table) in self.state.iptables_tables

    def run(self, table: str, hook: str, packet: Packet, meta: Meta) -> Ruling:
        """Traverse the built-in chain `hook` of `table`; without that chain the packet is accepted."""
        family = family_of(packet.dst)
        chain = self.state.chains.get((family, table, hook))
        run = _Run(packet)
        if chain is None:
            return Ruling("accept", packet)
        ruling = self._chain(family, table, hook, chain, run, meta, 0)
        if ruling is None:
            action = "drop" if chain.policy == "DROP" else "accept"
            ruling = Ruling(action, run.packet, None, hook, "policy")
        return replace(ruling, packet=run.packet, passed=tuple(run.passed), untracked=run.untracked)

    def _chain(
        self, family: int, table: str, name: str, chain: Chain, run: _Run, meta: Meta, depth: int
    ) -> Ruling | None:
        for one in chain.rules:
            run.rules += 1
            if run.rules > MAX_RULES or depth > MAX_DEPTH:
                return self._undecided(table, name, one, run)
            if not self._decide(one, run.packet, meta, table, name):
                continue
            rule = one.rule
            target = rule.target
            if not target:
                continue
            called = self.state.chains.get((family, table, target))
            if called is not None:
                ruling = self._chain(family, table, target, called, run, meta, depth + 1)
                if ruling is not None:
                    return ruling
                if rule.goto:
                    return None
                continue
            if target == "RETURN":
                run.passed.append((name, one))
                return None
            ruling = self._target(one, name, run, meta)
            if ruling is not None:
                return ruling
        return None

    def _undecided(self, table: str, chain: str, one: ChainRule, run: _Run) -> Ruling:
        accepted = self.choose("unknown", f"{one.evidence.place} {table}/{chain}: {one.rule.text}", 2) == 0
        return Ruling("accept" if accepted else "drop", run.packet, one, chain)

    def _target(self, one: ChainRule, chain: str, run: _Run, meta: Meta) -> Ruling | None:
        rule, target = one.rule, one.rule.target
        options = dict(rule.target_options)
        packet = run.packet
        match target:
            case "ACCEPT":
                run.passed.append((chain, one))
                return Ruling("accept", packet, one, chain)
            case "DROP" | "STOLEN":
                return Ruling("drop", packet, one, chain)
            case "REJECT":
                return Ruling(
                    "reject", packet, one, chain, (options.get("--reject-with") or ("icmp-port-unreachable",))[0]
                )
            case "MARK":
                run.packet = replace(packet, mark=_marked(packet.mark, options))
                run.passed.append((chain, one))
                return None
            case "CONNMARK":
                return None
            case "MASQUERADE":
                return Ruling("masquerade", packet, one, chain)
            case "SNAT" | "DNAT":
                where = (options.get("--to-source") or options.get("--to-destination") or ("",))[0]
                address, port = _endpoint(where)
                if not address and port is None:
                    return self._undecided("nat", chain, one, run)
                return Ruling(target.lower(), packet, one, chain, to=(address, port))
            case "REDIRECT":
                return Ruling("redirect", packet, one, chain, to=("", _port((options.get("--to-ports") or ("",))[0])))
            case "NOTRACK":
                run.untracked = True
                return None
            case "CT":
                run.untracked = run.untracked or "--notrack" in options
                return None
            case _ if target in NEUTRAL_TARGETS:
                return None
        if self.choose("unknown", f"{one.evidence.place} target {target}: {rule.text}", 2) == 0:
            return None
        return Ruling("drop", packet, one, chain)

    def _decide(self, one: ChainRule, packet: Packet, meta: Meta, table: str, chain: str) -> bool:
        unknown = list(one.rule.unknown)
        probability: float | None = None
        for match in one.rule.matches:
            if match.module == "statistic":
                probability = _probability(match, probability)
                continue
            answer = self._match(match, packet, meta)
            if answer is None:
                unknown.append(match.module)
            elif not answer:
                return False
        if unknown:
            what = f"{one.evidence.place} {table}/{chain} ({', '.join(dict.fromkeys(unknown))}): {one.rule.text}"
            return self.choose("unknown", what, 2) == 0
        if probability is not None and probability < 1:
            return self.choose(f"random:{probability}", f"{one.evidence.place} statistic", 2) == 0
        return True

    def _match(self, match: Match, packet: Packet, meta: Meta) -> bool | None:
        answer = self._plain(match, packet, meta)
        return answer if answer is None or not match.inverted else not answer

    def _plain(self, match: Match, packet: Packet, meta: Meta) -> bool | None:
        values = match.values
        first = values[0] if values else ""
        match (match.module, match.option):
            case ("comment", _) | (_, ""):
                return True
            case ("ip", "-s"):
                return any(contains(prefix, packet.src) for prefix in first.split(","))
            case ("ip", "-d"):
                return any(contains(prefix, packet.dst) for prefix in first.split(","))
            case ("ip", "-i"):
                return _interface(first, meta.iif)
            case ("ip", "-o"):
                return _interface(first, meta.oif)
            case ("ip", "-p"):
                if meta.icmp_error:
                    return first in ("icmp", "icmpv6", "ipv6-icmp", "all", "0", "1", "58")
                return first in ("all", "0") or PROTOCOLS.get(first, first) == packet.protocol
            case ("ip", "-f"):
                return False
            case ("tcp" | "udp" | "sctp" | "dccp" | "udplite", _) | ("multiport", _):
                return _ports(match, packet, meta)
            case ("icmp" | "icmp6" | "icmpv6" | "igmp" | "esp" | "ah", _):
                return None if meta.icmp_error else False
            case ("set", "--match-set"):
                return self._set(values, packet, meta)
            case ("set", _):
                return None
            case ("addrtype", option):
                return self._addrtype(option, first, packet, meta)
            case ("conntrack", "--ctstate") | ("state", "--state"):
                return _ctstate(first, meta)
            case ("conntrack", "--ctorigdst"):
                return contains(first, meta.orig_dst or packet.dst)
            case ("conntrack", "--ctorigdstport"):
                return _in_ports(first, meta.orig_dport or packet.dport)
            case ("conntrack", "--ctdir"):
                return (first.upper() == "REPLY") == meta.reply_direction
            case ("conntrack", "--ctproto"):
                return PROTOCOLS.get(first, first) == packet.protocol
            case ("mark", "--mark"):
                return _mark(first, packet.mark)
            case ("connmark", "--mark"):
                return _mark(first, meta.connmark)
            case ("physdev", option):
                return _physdev(option, first, meta)
            case ("ipvs", option):
                return _ipvs(option, first, packet, meta)
            case ("iprange", "--src-range"):
                return _range(first, packet.src)
            case ("iprange", "--dst-range"):
                return _range(first, packet.dst)
            case ("pkttype", "--pkt-type"):
                return first.lower() == "unicast"
            case ("owner", _):
                return None if meta.from_host else False
            case ("rpfilter", _):
                return None
        return None

    def _set(self, values: tuple[str, ...], packet: Packet, meta: Meta) -> bool | None:
        if len(values) < 2:
            return None
        name, directions = values[0], values[1].split(",")
        found = self.state.sets.get(name)
        if found is None:
            return None
        kind = found.type.partition(":")[2].split(",")
        address = address2 = ""
        port: int | None = None
        for part, direction in zip(kind, directions, strict=False):
            source = direction == "src"
            if part == "port":
                port = packet.sport if source else packet.dport
                if meta.icmp_error:
                    return False
            elif part in ("ip", "net"):
                value = packet.src if source else packet.dst
                if not address:
                    address = value
                else:
                    address2 = value
            else:
                return None
        # hash:ip,port with `src,dst` compares the source address with the destination port (ip_set(7)).
        return found.find(address, packet.protocol, port, address2) is not None

    def _addrtype(self, option: str, types: str, packet: Packet, meta: Meta) -> bool | None:
        if option in ("--limit-iface-in", "--limit-iface-out"):
            return True  # narrows the other option of the same match, read there
        if option not in ("--src-type", "--dst-type"):
            return None
        address = packet.src if option == "--src-type" else packet.dst
        for kind in types.upper().split(","):
            if kind == "LOCAL":
                if self.state.is_local(address):
                    return True
            elif kind == "UNICAST":
                if not self.state.is_local(address) and not is_multicast(address) and number(address)[1]:
                    return True
            elif kind == "MULTICAST":
                if is_multicast(address):
                    return True
            elif kind in ("BROADCAST", "ANYCAST", "BLACKHOLE", "UNSPEC", "PROHIBIT", "UNREACHABLE"):
                continue
            else:
                return None
        return False


PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp", "1": "icmp", "58": "icmpv6", "ipv6-icmp": "icmpv6"}


def limited_to_interface(rule: Rule, option: str) -> bool:
    return any(match.module == "addrtype" and match.option == option for match in rule.matches)


def _interface(pattern: str, name: str) -> bool:
    if not name:
        return False
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


def _marked(mark: int, options: dict[str, tuple[str, ...]]) -> int:
    for option, operation in (
        ("--set-xmark", "xmark"), ("--set-mark", "mark"), ("--or-mark", "or"), ("--and-mark", "and"), ("--xor-mark", "xor"),
    ):  # fmt: skip
        if option not in options:
            continue
        value, mask = _value_mask((options[option] or ("0",))[0])
        match operation:
            case "xmark":
                return (mark & ~mask) ^ value
            case "mark":
                return (mark & ~mask) | value
            case "or":
                return mark | value
            case "and":
                return mark & value
            case "xor":
                return mark ^ value
    return mark


def _value_mask(text: str) -> tuple[int, int]:
    value, _, mask = text.partition("/")
    try:
        return int(value, 0), int(mask, 0) if mask else 0xFFFFFFFF
    except ValueError:
        return 0, 0


def _mark(text: str, mark: int) -> bool:
    value, mask = _value_mask(text)
    return mark & mask == value


def _endpoint(text: str) -> tuple[str, int | None]:
    """``10.0.0.1:80``, ``:80``, ``10.0.0.1``, ``[2001:db8::1]:80``; the first address and port of a range."""
    text = text.partition("-")[0] if text.count(":") <= 1 else text
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        return address, _port(rest.lstrip(":"))
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, _port(port)
    return text, None


def _port(text: str) -> int | None:
    digits = text.partition("-")[0]
    return int(digits) if digits.isdigit() and int(digits) else None


def _in_ports(text: str, port: int) -> bool:
    for part in text.split(","):
        low, colon, high = part.partition(":")
        try:
            first, last = int(low or 0), int(high or 65535) if colon else int(low)
        except ValueError:
            continue
        if first <= port <= last:
            return True
    return False


def _ports(match: Match, packet: Packet, meta: Meta) -> bool | None:
    if meta.icmp_error:
        return False
    if match.module not in ("multiport", packet.protocol):
        return False
    value = match.values[0] if match.values else ""
    match match.option:
        case "--dport" | "--destination-port" | "--dports" | "--destination-ports":
            return _in_ports(value, packet.dport)
        case "--sport" | "--source-port" | "--sports" | "--source-ports":
            return _in_ports(value, packet.sport)
        case "--ports":
            return _in_ports(value, packet.dport) or _in_ports(value, packet.sport)
        case "--tcp-flags":
            return _tcp_flags(match.values, meta)
        case "--syn":
            return not meta.reply_direction
    return None


def _tcp_flags(values: tuple[str, ...], meta: Meta) -> bool | None:
    if len(values) < 2:
        return None
    every = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"}
    mask = every if values[0] == "ALL" else set() if values[0] == "NONE" else set(values[0].split(","))
    wanted = every if values[1] == "ALL" else set() if values[1] == "NONE" else set(values[1].split(","))
    present = {"SYN", "ACK"} if meta.reply_direction else {"SYN"}
    return present & mask == wanted


def _ctstate(states: str, meta: Meta) -> bool:
    wanted = set(states.upper().split(","))
    return meta.state in wanted or ("DNAT" in wanted and meta.dnat) or ("SNAT" in wanted and meta.snat)


def _physdev(option: str, value: str, meta: Meta) -> bool | None:
    match option:
        case "--physdev-is-in":
            return bool(meta.physdev_in)
        case "--physdev-is-out":
            return bool(meta.physdev_out)
        case "--physdev-is-bridged":
            return bool(meta.physdev_in and meta.physdev_out)
        case "--physdev-in":
            return _interface(value, meta.physdev_in)
        case "--physdev-out":
            return _interface(value, meta.physdev_out)
    return None


def _ipvs(option: str, value: str, packet: Packet, meta: Meta) -> bool | None:
    """xt_ipvs: only a packet that belongs to an IPVS connection matches; vaddr and vport are the virtual server's."""
    if not meta.ipvs_vaddr:
        return False
    match option:
        case "--ipvs":
            return True
        case "--vproto":
            return PROTOCOLS.get(value, value) == packet.protocol
        case "--vaddr":
            return contains(value, meta.ipvs_vaddr)
        case "--vport":
            return _in_ports(value, meta.ipvs_vport)
        case "--vdir":
            return (value.upper() == "REPLY") == meta.reply_direction
        case "--vmethod":
            return value.upper() == "MASQ"
    return None


def _range(text: str, address: str) -> bool:
    low, _, high = text.partition("-")
    family, value = number(address)
    first, last = number(low), number(high or low)
    return first[0] == family == last[0] and first[1] <= value <= last[1]


def _probability(match: Match, so_far: float | None) -> float:
    value = match.values[0] if match.values else ""
    share = so_far if so_far is not None else 1.0
    try:
        if match.option == "--probability":
            return share * float(value)
        if match.option == "--every":
            return share / max(int(value), 1)
    except ValueError:
        return 0.5
    return share
