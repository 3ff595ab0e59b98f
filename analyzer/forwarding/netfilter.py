"""Runs iptables chains on one packet, rule by rule.

A match is true, false or unknown. An unknown one is a choice point: the walk is made for both answers, and if they lead
to different outcomes the verdict is unknown and names the rule. So an unknown match taints its rule, never the table.
Semantics: iptables-extensions(8), ip_tables.c (a RETURN from a built-in chain meets the policy, goto does not come back).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from analyzer.forwarding.addresses import contains, family_of, number
from analyzer.forwarding.chain_index import candidates, nat_place, nat_port, spread_of
from analyzer.forwarding.model import Packet
from analyzer.forwarding.state import Chain, ChainRule, NodeState
from analyzer.parsers.iptables_rule import Match

MAX_DEPTH = 64
MAX_RULES = 20_000
KUBE_TABLES = ("nat", "filter")

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
    """What the chain decided: accept, drop, reject, dnat, snat, masquerade, redirect, unknown; and the packet as it left.

    For unknown, `with_` says what could not be told.
    """

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


Picker = Callable[[Sequence[tuple[str, int]], str], int]
"""((address, port) of each endpoint, what for) -> index of the one taken."""
Chooser = Callable[[str, str, int], int]
"""(kind, what, number of options) -> index. Kind is "unknown" for an undecidable match, "random" for statistic."""


class Netfilter:
    """The chains of one node, applied to packets."""

    def __init__(self, state: NodeState, choose: Chooser, pick: Picker | None = None) -> None:
        self.state = state
        self.choose = choose
        self.pick = pick

    def run(self, table: str, hook: str, packet: Packet, meta: Meta) -> Ruling:
        """Traverse the base chains of nftables and the built-in chain `hook` of `table`; without any the packet is accepted."""
        family = family_of(packet.dst)
        if self._left_out(family, table):
            name = "iptables" if family == 4 else "ip6tables"
            return Ruling("unknown", packet, None, hook, f"{name} table {table} of {self.state.name}")
        run = _Run(packet)
        last = Ruling("accept", packet)
        for name in (*self.state.bases.get((family, table, hook), ()), hook):
            if self.state.passes(family, table, name):
                continue
            chain = self.state.chains[(family, table, name)]
            ruling = self._chain(family, table, name, chain, run, meta, 0)
            if ruling is None:
                ruling = Ruling("drop" if chain.policy == "DROP" else "accept", run.packet, None, name, "policy")
            last = ruling
            if ruling.action != "accept":
                break
        return replace(last, packet=run.packet, passed=tuple(run.passed), untracked=run.untracked)

    def _left_out(self, family: int, table: str) -> bool:
        """Whether rules were captured, but not this table of this family although kube-proxy serves that family.

        kube-proxy always fills nat and filter, so a listing without them was one of another table or family.
        """
        tables = self.state.iptables_tables
        return (
            bool(tables)
            and (family, table) not in tables
            and table in KUBE_TABLES
            and family in self.state.served_families
        )

    def _chain(
        self, family: int, table: str, name: str, chain: Chain, run: _Run, meta: Meta, depth: int
    ) -> Ruling | None:
        spread = spread_of(self.state, (family, table, name), chain) if self.pick is not None else ()
        for one in candidates(self.state, (family, table, name), chain, run.packet.dst):
            if spread and self.pick is not None and any(one is rule for rule, _ in spread):
                one = spread[self.pick([place for _, place in spread], f"{self.state.name} {table}/{name}")][0]
                taken = one.rule.target or ""
                return self._chain(
                    family, table, taken, self.state.chains[(family, table, taken)], run, meta, depth + 1
                )
            if spread and any(match.option == "--rcheck" for match in one.rule.matches):
                continue  # an endpoint that is remembered is one of those that can be picked
            run.rules += 1
            if run.rules > MAX_RULES or depth > MAX_DEPTH:
                return self._undecided(table, name, one, run)
            rule = one.rule
            target = rule.target
            called = self.state.chains.get((family, table, target)) if target else None
            if not target or (called is None and target in NEUTRAL_TARGETS):
                continue  # whether it matches makes no difference
            if not self._decide(one, run.packet, meta, table, name):
                continue
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
            ruling = self._target(one, table, name, run, meta)
            if ruling is not None:
                return ruling
        return None

    def _undecided(self, table: str, chain: str, one: ChainRule, run: _Run) -> Ruling:
        """A rule whose effect cannot be told: an unreadable NAT, chains without end."""
        what = f"{one.evidence.place} {table}/{chain}: {one.rule.text}"
        return Ruling("unknown", run.packet, one, chain, what)

    def _target(self, one: ChainRule, table: str, chain: str, run: _Run, meta: Meta) -> Ruling | None:
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
                if "--restore-mark" in options and not self._sets_connmark(family_of(packet.dst)):
                    mask = _value_mask((options.get("--nfmask") or options.get("--mask") or ("0xffffffff",))[0])
                    run.packet = replace(packet, mark=packet.mark & ~(mask[0] if mask else 0))
                return None
            case "MASQUERADE":
                return Ruling("masquerade", packet, one, chain)
            case "SNAT" | "DNAT":
                where = (options.get("--to-source") or options.get("--to-destination") or ("",))[0]
                addresses, port = nat_place(where)
                if not addresses:
                    return self._undecided(table, chain, one, run)
                # A range is spread by a hash of the packet: every address can be met.
                several = len(addresses) > 1
                taken = self.choose("random", f"{one.evidence.place} {where}", len(addresses)) if several else 0
                return Ruling(target.lower(), packet, one, chain, to=(addresses[taken], port))
            case "REDIRECT":
                return Ruling(
                    "redirect", packet, one, chain, to=("", nat_port((options.get("--to-ports") or ("",))[0]))
                )
            case "NOTRACK":
                run.untracked = True
                return None
            case "CT":
                run.untracked = run.untracked or "--notrack" in options
                return None
        if table == "nat":
            return self._undecided(table, chain, one, run)
        action = self.choose("unknown", f"{one.evidence.place} target {target}: {rule.text}", 3)
        return (None, Ruling("drop", packet, one, chain), Ruling("accept", packet, one, chain))[action]

    def _decide(self, one: ChainRule, packet: Packet, meta: Meta, table: str, chain: str) -> bool:
        unknown = [name for name in one.rule.unknown if name != one.rule.target]  # a strange target is judged there
        probability = 1.0
        for position, match in enumerate(one.rule.matches):
            if match.module == "statistic" and match.known:
                probability *= _probability(match)
                continue
            if match.module == "recent" and match.known:
                if match.option == "--rcheck":
                    probability *= 0.5  # kube-proxy's affinity in iptables mode: remembered or not, both happen
                continue
            if match.module == "addrtype" and match.known:
                limit = _limit(one.rule.matches, position, meta)
                answer = self._addrtype(match, packet, limit)
            else:
                answer = self._match(match, packet, meta)
            if answer is None:
                unknown.append(match.module)
            elif not answer:
                return False
        if unknown:
            what = f"{one.evidence.place} {table}/{chain} ({', '.join(dict.fromkeys(unknown))}): {one.rule.text}"
            return self.choose("unknown", what, 2) == 0
        if probability <= 0:
            return False
        if probability < 1:
            return self.choose(f"random:{probability}", f"{one.evidence.place} statistic", 2) == 0
        return True

    def _match(self, match: Match, packet: Packet, meta: Meta) -> bool | None:
        if not match.known:
            return None
        if match.module == "ipvs" and match.option != "--ipvs" and not meta.ipvs_vaddr:
            return False  # xt_ipvs: a packet without IPVS connection fails the other options, inverted or not
        if match.module == "set" and match.option in ("--update-counters", "--update-subcounters"):
            return True  # only says what is counted, mostly inverted
        answer = self._plain(match, packet, meta)
        return answer if answer is None or not match.inverted else not answer

    def _plain(self, match: Match, packet: Packet, meta: Meta) -> bool | None:
        values = match.values
        first = values[0] if values else ""
        match (match.module, match.option):
            case ("comment", _) | (_, "") | ("nfacct", "--nfacct-name"):
                return True  # nfacct only counts (kube-proxy 1.32 on)
            case ("ip", "-s"):
                return any(contains(prefix, packet.src) for prefix in first.split(","))
            case ("ip", "-d"):
                return any(contains(prefix, packet.dst) for prefix in first.split(","))
            case ("ip", "-i"):
                # Only a packet made on the host has no input interface; otherwise an empty one is not known.
                return _interface(first, meta.iif) if meta.iif or meta.from_host else None
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
            case ("conntrack", "--ctstate") | ("state", "--state"):
                return _ctstate(first, meta)
            case ("conntrack", "--ctorigdst"):
                return contains(first, meta.orig_dst or packet.dst)
            case ("conntrack", "--ctorigdstport"):
                return in_ports(first, meta.orig_dport or packet.dport)
            case ("conntrack", "--ctdir"):
                return (first.upper() == "REPLY") == meta.reply_direction
            case ("conntrack", "--ctproto"):
                return PROTOCOLS.get(first, first) == packet.protocol
            case ("mark", "--mark"):
                return _mark(first, packet.mark)
            case ("connmark", "--mark"):
                return None if self._sets_connmark(family_of(packet.dst)) else _mark(first, 0)
            case ("physdev", option):
                return _physdev(option, first, meta)
            case ("ipvs", option):
                return _ipvs(option, first, packet, meta)
            case ("iprange", "--src-range"):
                return in_range(first, packet.src)
            case ("iprange", "--dst-range"):
                return in_range(first, packet.dst)
            case ("pkttype", "--pkt-type"):
                return first.lower() == "unicast"
            case ("owner", "--socket-exists"):
                return meta.from_host and (not meta.reply_direction or None)
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
        if found.find(address, packet.protocol, port, address2) is not None:
            return True
        return None if "ipset" in self.state.incomplete else False

    def _sets_connmark(self, family: int) -> bool:
        """Whether any rule gives connections a mark; without one it is always 0."""
        return family in self.state.connmark_families

    def _addrtype(self, match: Match, packet: Packet, limit: str | None) -> bool | None:
        """xt_addrtype: the type of an address by the local table, for a limit by that interface's entries only.

        With `--limit-iface-*` a local address of another interface counts as UNICAST (inet_dev_addr_type).
        """
        if match.option in ("--limit-iface-in", "--limit-iface-out"):
            return True  # narrows the type option before it
        if match.option not in ("--src-type", "--dst-type") or not match.values:
            return None
        address = packet.src if match.option == "--src-type" else packet.dst
        if limit == "":
            return None
        kinds = set(match.values[0].upper().split(","))
        if kinds - ADDRESS_TYPES:
            return None
        return (self.state.address_type(address, limit or "") in kinds) != match.inverted


PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp", "1": "icmp", "58": "icmpv6", "ipv6-icmp": "icmpv6"}


ADDRESS_TYPES = frozenset(
    [
        "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT",
        "THROW", "NAT", "XRESOLVE",
    ]
)  # fmt: skip


def _limit(matches: Sequence[Match], position: int, meta: Meta) -> str | None:
    """The interface an addrtype option is limited to: a limit belongs to the type option directly before it.

    None without a limit, an empty string when the interface is not known.
    """
    follow = matches[position + 1] if position + 1 < len(matches) else None
    if follow is None or follow.module != "addrtype":
        return None
    return {"--limit-iface-in": meta.iif, "--limit-iface-out": meta.oif}.get(follow.option)


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
        read = _value_mask((options[option] or ("",))[0])
        if read is None:
            return mark
        value, mask = read
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


def _value_mask(text: str) -> tuple[int, int] | None:
    value, _, mask = text.partition("/")
    try:
        return int(value, 0), int(mask, 0) if mask else 0xFFFFFFFF
    except ValueError:
        return None


def _mark(text: str, mark: int) -> bool | None:
    read = _value_mask(text)
    return None if read is None else mark & read[1] == read[0]


def in_ports(text: str, port: int) -> bool:
    """Whether a list of ports and ranges (``80``, ``80,443``, ``8000:8010``) holds the port."""
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
            return in_ports(value, packet.dport)
        case "--sport" | "--source-port" | "--sports" | "--source-ports":
            return in_ports(value, packet.sport)
        case "--ports":
            return in_ports(value, packet.dport) or in_ports(value, packet.sport)
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
            return in_ports(value, meta.ipvs_vport)
        case "--vdir":
            return (value.upper() == "REPLY") == meta.reply_direction
        case "--vmethod":
            return value.upper() == "MASQ"
    return None


def in_range(text: str, address: str) -> bool:
    """Whether an address range (``10.0.0.1-10.0.0.9``) or a single address holds the address."""
    low, _, high = text.partition("-")
    family, value = number(address)
    first, last = number(low), number(high or low)
    return first[0] == family == last[0] and first[1] <= value <= last[1]


def _probability(match: Match) -> float:
    """The share of packets one statistic option lets through; `--mode` and `--packet` do not change it."""
    value = match.values[0] if match.values else ""
    share = 1.0
    try:
        if match.option == "--probability":
            share = min(max(float(value), 0.0), 1.0)
        elif match.option == "--every":
            share = 1 / max(int(value), 1)
    except ValueError:
        return 0.5
    return 1 - share if match.inverted and match.option in ("--probability", "--every") else share
