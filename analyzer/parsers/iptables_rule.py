"""One iptables rule as typed matches and a target, for the packet walker.

Grammar: the option tables of iptables(8) and iptables-extensions(8), as printed by `iptables-save`, `-S` or kube-proxy.
Whatever is not understood stays in the rule with `known=False` and its name in `unknown`, so that a verdict that
depends on it can say so. The same text occurs on every node, so parsing is cached.

>>> rule = parse_rule("! -s 10.64.0.0/16 -p tcp -m mark ! --mark 0x4000/0x4000 -j MARK --set-xmark 0x4000/0x4000")
>>> [(m.module, m.option, m.inverted, m.values) for m in rule.matches]
[('ip', '-s', True, ('10.64.0.0/16',)), ('ip', '-p', False, ('tcp',)), ('mark', '--mark', True, ('0x4000/0x4000',))]
>>> rule.target, rule.target_options, rule.unknown
('MARK', (('--set-xmark', ('0x4000/0x4000',)),), ())
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# Generic options, and other spellings of options; the right side is what `Match.option` holds.
_IP = {
    "-s": "-s", "--source": "-s", "--src": "-s", "-d": "-d", "--destination": "-d", "--dst": "-d",
    "-i": "-i", "--in-interface": "-i", "-o": "-o", "--out-interface": "-o", "-p": "-p", "--protocol": "-p",
    "--proto": "-p", "-f": "-f", "--fragment": "-f",
}  # fmt: skip
_ALIASES = {
    "--destination-port": "--dport", "--source-port": "--sport", "--destination-ports": "--dports",
    "--source-ports": "--sports",
}  # fmt: skip
_PORTS = {"--sport": 1, "--dport": 1}
# How many values each option of each match takes.
_MATCHES: dict[str, dict[str, int]] = {
    "tcp": {**_PORTS, "--tcp-flags": 2, "--syn": 0, "--tcp-option": 1},
    "udp": _PORTS,
    "sctp": {**_PORTS, "--chunk-types": 2},
    "icmp": {"--icmp-type": 1},
    "icmp6": {"--icmpv6-type": 1},
    "multiport": {"--sports": 1, "--dports": 1, "--ports": 1},
    "set": {"--match-set": 2, "--return-nomatch": 0, "--update-counters": 0, "--update-subcounters": 0,
            "--packets-eq": 1, "--packets-lt": 1, "--packets-gt": 1, "--bytes-eq": 1, "--bytes-lt": 1, "--bytes-gt": 1},
    "addrtype": {"--src-type": 1, "--dst-type": 1, "--limit-iface-in": 0, "--limit-iface-out": 0},
    "conntrack": {"--ctstate": 1, "--ctproto": 1, "--ctorigsrc": 1, "--ctorigdst": 1, "--ctreplsrc": 1,
                  "--ctrepldst": 1, "--ctorigsrcport": 1, "--ctorigdstport": 1, "--ctreplsrcport": 1,
                  "--ctrepldstport": 1, "--ctstatus": 1, "--ctexpire": 1, "--ctdir": 1},
    "state": {"--state": 1},
    "mark": {"--mark": 1},
    "connmark": {"--mark": 1},
    "physdev": {"--physdev-in": 1, "--physdev-out": 1, "--physdev-is-in": 0, "--physdev-is-out": 0,
                "--physdev-is-bridged": 0},
    "ipvs": {"--ipvs": 0, "--vproto": 1, "--vaddr": 1, "--vport": 1, "--vdir": 1, "--vmethod": 1, "--vportctl": 1},
    "statistic": {"--mode": 1, "--probability": 1, "--every": 1, "--packet": 1},
    "comment": {"--comment": 1},
    "limit": {"--limit": 1, "--limit-burst": 1},
    "iprange": {"--src-range": 1, "--dst-range": 1},
    "owner": {"--uid-owner": 1, "--gid-owner": 1, "--socket-exists": 0, "--suppl-groups": 0},
    "mac": {"--mac-source": 1},
    "pkttype": {"--pkt-type": 1},
    "nfacct": {"--nfacct-name": 1},
    "recent": {"--set": 0, "--rcheck": 0, "--update": 0, "--remove": 0, "--seconds": 1, "--reap": 0, "--hitcount": 1,
               "--rttl": 0, "--name": 1, "--rsource": 0, "--rdest": 0, "--mask": 1},
    "u32": {"--u32": 1},
    "length": {"--length": 1},
}  # fmt: skip
_NAT = {"--random": 0, "--random-fully": 0, "--persistent": 0}
_MARKS = {"--set-xmark": 1, "--set-mark": 1, "--and-mark": 1, "--or-mark": 1, "--xor-mark": 1}
_TARGETS: dict[str, dict[str, int]] = {
    "MARK": _MARKS,
    "CONNMARK": {**_MARKS, "--save-mark": 0, "--restore-mark": 0, "--nfmask": 1, "--ctmask": 1, "--mask": 1},
    "MASQUERADE": {"--to-ports": 1, "--random": 0, "--random-fully": 0},
    "DNAT": {"--to-destination": 1, **_NAT},
    "SNAT": {"--to-source": 1, **_NAT},
    "REDIRECT": {"--to-ports": 1, **_NAT},
    "NETMAP": {"--to": 1},
    "REJECT": {"--reject-with": 1},
    "LOG": {"--log-level": 1, "--log-prefix": 1, "--log-tcp-sequence": 0, "--log-tcp-options": 0, "--log-ip-options": 0,
            "--log-uid": 0, "--log-macdecode": 0},
    "NFLOG": {"--nflog-group": 1, "--nflog-prefix": 1, "--nflog-range": 1, "--nflog-size": 1, "--nflog-threshold": 1},
    "TCPMSS": {"--set-mss": 1, "--clamp-mss-to-pmtu": 0},
    "TPROXY": {"--on-port": 1, "--on-ip": 1, "--tproxy-mark": 1},
    "CT": {"--notrack": 0, "--zone": 1, "--zone-orig": 1, "--zone-reply": 1, "--helper": 1, "--timeout": 1,
           "--ctevents": 1, "--expevents": 1},
    "SET": {"--add-set": 2, "--del-set": 2, "--map-set": 2, "--exist": 0, "--timeout": 1, "--map-mark": 0,
            "--map-prio": 0, "--map-queue": 0},
    "NFQUEUE": {"--queue-num": 1, "--queue-balance": 1, "--queue-bypass": 0, "--queue-cpu-fanout": 0},
    "TOS": {"--set-tos": 1}, "DSCP": {"--set-dscp": 1, "--set-dscp-class": 1}, "TTL": {"--ttl-set": 1, "--ttl-dec": 1},
    "HL": {"--hl-set": 1, "--hl-dec": 1, "--hl-inc": 1}, "CLASSIFY": {"--set-class": 1},
    "CHECKSUM": {"--checksum-fill": 0},
    "ACCEPT": {}, "DROP": {}, "RETURN": {}, "QUEUE": {}, "NOTRACK": {}, "TRACE": {},
}  # fmt: skip
_PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp", "1": "icmp", "58": "icmpv6", "ipv6-icmp": "icmpv6", "0": "all"}
_IMPLIED = {"tcp": "tcp", "udp": "udp", "sctp": "sctp", "icmp": "icmp", "icmpv6": "icmp6"}
_MODULES = {"ipv6-icmp": "icmp6", "icmpv6": "icmp6"}
_FREE_TEXT = {"--comment", "--log-prefix", "--nflog-prefix", "--u32"}
_TOKEN = re.compile(r"\"((?:[^\"\\]|\\.)*)(?:\"|$)|'([^']*)(?:'|$)|(\S+)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_OPTION = re.compile(r"-[A-Za-z]|--[a-z][\w-]*")


@dataclass(frozen=True, slots=True)
class Match:
    """One condition. `module` is "ip" for the generic options; `values` are as printed, protocols by name."""

    module: str
    option: str
    inverted: bool
    values: tuple[str, ...]
    known: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's conditions (all must hold) and what it does; `target` is null when it only counts."""

    text: str
    matches: tuple[Match, ...]
    target: str | None
    goto: bool
    target_options: tuple[tuple[str, tuple[str, ...]], ...]
    comment: str | None
    unknown: tuple[str, ...]


def tokens(text: str) -> list[str]:
    """Words under the quoting of iptables-save: double quotes with backslashes, single quotes as in a shell.

    >>> tokens('--comment "a \\\\"b\\\\" c" -j X')
    ['--comment', 'a "b" c', '-j', 'X']
    """
    return [_word(match) for match in _TOKEN.finditer(text)]


def _word(match: re.Match[str]) -> str:
    double, single, plain = match.groups()
    if double is not None:
        return _ESCAPED.sub(r"\1", double)
    return single if single is not None else plain


@lru_cache(maxsize=32768)
def parse_rule(text: str) -> Rule:
    """The rule whose text (without `-A CHAIN `) this is. Never raises: what is not understood is named in `unknown`."""
    return _Parser(text).rule()


class _Parser:
    """One pass over the words; modules named by `-m` or implied by `-p` own the options that follow."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = tokens(text)
        self.at = 0
        self.matches: list[Match] = []
        self.modules: list[str] = []
        self.empty: set[str] = set()
        self.implied: str | None = None
        self.target: str | None = None
        self.goto = False
        self.options: list[tuple[str, tuple[str, ...]]] = []
        self.unknown: list[str] = []

    def rule(self) -> Rule:
        if self.words[:1] in (["-A"], ["-I"]):
            self.at = 2
        inverted = False
        while self.at < len(self.words):
            word = self.words[self.at]
            self.at += 1
            if word == "!":
                inverted = True
                continue
            self._word(word, inverted)
            inverted = False
        if inverted:
            self._strange("!")
        for module in self.modules:
            # A bare `-m tcp` says nothing more than `-p tcp`; any other module without options is one not understood,
            # or lost them (garbage of another variant).
            if module in self.empty and module not in ("tcp", "udp", "sctp", "icmp", "icmp6", "comment"):
                self.matches.append(Match(module, "", False, (), known=False))
                self._strange(module)
        comment = next((m.values[0] for m in self.matches if m.option == "--comment" and m.values), None)
        return Rule(
            self.text, tuple(self.matches), self.target, self.goto, tuple(self.options), comment, tuple(self.unknown)
        )

    def _word(self, word: str, inverted: bool) -> None:
        if word in ("-m", "--match"):
            name = self._values(1)
            self.modules.append(_MODULES.get(name[0], name[0]) if name else "")
            self.empty.add(self.modules[-1])
        elif word in ("-j", "--jump", "-g", "--goto"):
            value = self._values(1)
            self.target, self.goto = (value[0] if value else None), word in ("-g", "--goto")
            if not value:
                self._strange(word)
        elif word in ("-c", "--set-counters"):
            self._values(2)
        elif word in _IP:
            self._generic(_IP[word], inverted)
        elif _OPTION.fullmatch(word.partition("=")[0]):
            self._option(word, inverted)
        else:
            self._strange(word)

    def _generic(self, option: str, inverted: bool) -> None:
        inverted = self._late(inverted)
        values = self._values(0 if option == "-f" else 1)
        if option == "-p":
            values = tuple(_PROTOCOLS.get(value.lower(), value.lower()) for value in values)
            self.implied = _IMPLIED.get(values[0]) if values and not inverted else None
        known = option == "-f" or bool(values)
        if not known:
            self._strange(option)
        self.matches.append(Match("ip", option, inverted, values, known))

    def _option(self, word: str, inverted: bool) -> None:
        name, equals, inline = word.partition("=")
        option = _ALIASES.get(name, name)
        if self.target is not None and option in _TARGETS.get(self.target, {}):
            self.options.append((option, (inline,) if equals else self._values(_TARGETS[self.target][option], option)))
            return
        owner = next((m for m in reversed(self.modules) if option in _MATCHES.get(m, {})), None)
        if owner is None and self.implied and option in _MATCHES[self.implied]:
            owner = self.implied
        inverted = self._late(inverted)
        if owner is not None:
            count = _MATCHES[owner][option]
            values = (inline,) if equals else self._values(count, option)
            known = len(values) == count
            if not known:
                self._strange(f"{owner} {option}")
            self.empty.discard(owner)
            self.matches.append(Match(owner, option, inverted, values, known))
            return
        values = (inline,) if equals else self._rest()
        if self.target is not None:
            self.options.append((option, values))
            self._strange(f"{self.target} {option}" if self.target in _TARGETS else self.target)
            return
        module = self.modules[-1] if self.modules else (self.implied or "ip")
        self.empty.discard(module)
        self.matches.append(Match(module, option, inverted, values, known=False))
        self._strange(f"{module} {option}" if module in _MATCHES or module == "ip" else module)

    def _late(self, inverted: bool) -> bool:
        """Old iptables wrote the `!` between option and value."""
        if self.at < len(self.words) and self.words[self.at] == "!":
            follow = self.words[self.at + 1 : self.at + 2]
            if follow and not _OPTION.fullmatch(follow[0]):
                self.at += 1
                return True
        return inverted

    def _values(self, count: int, option: str = "") -> tuple[str, ...]:
        """Up to `count` words; another option ends them early, unless any text may stand here."""
        values: list[str] = []
        while len(values) < count and self.at < len(self.words):
            word = self.words[self.at]
            if option not in _FREE_TEXT and (word == "!" or _OPTION.fullmatch(word)):
                break
            values.append(word)
            self.at += 1
        return tuple(values)

    def _rest(self) -> tuple[str, ...]:
        """Words up to the next option."""
        return self._values(len(self.words))

    def _strange(self, name: str) -> None:
        if name not in self.unknown:
            self.unknown.append(name)
