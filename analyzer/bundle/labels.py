"""Node names in the folders and file names of a loose bundle, taken only when several nodes show the same pattern."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

# Commands whose output is about one node, as file names of collectors spell them (ip-addr, ipaddrshow, nf_conntrack …).
_CAPTURE = re.compile(
    r"(?<![a-z0-9])(?:(ipvsadm|ip_vs|conntrack|nf_conntrack|ip6?tables|nft|ipset|netstat|ifconfig|sysctl|uname|hostname"
    r"|kube-?proxy|network_info|ss(?![a-z0-9]))|ip(?:v?6)?[-_ ]?(?:[jdos46][-_ ]+)*(addr|route|rule|neigh|link))"
)
_EXTENSION = re.compile(r"(?:\.(?:txt|log|out|json|yaml|yml|conf|gz))+$")
_FOLDER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
# Node names are lower-case DNS names (RFC 1123 subdomains); upper case marks options such as -Ln.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,251})[a-z0-9]")
_IPV4 = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-.]?[01][0-9]")
# Words of options, sections, repetitions and times: never a node.
_WORDS = frozenset(
    """
    save list stats rate extended all nat filter mangle raw security ipv v tcp udp sctp json txt out before after
    old new run try step sample part pass first second last table show connection timeout persistent conn exact
    thresholds daemon dump err stderr stdout full short numeric addr route rule link neigh ln lnc lnt lntup lntp
    lnp nt nl ipvs docker eth ens bond set sets rules routes ns netns legacy nft v4 v6 current previous config
    """.split()  # noqa: SIM905
)
_CATEGORIES = frozenset(
    """
    before after old new sos_commands sos_reports sos_logs networking network systeminfo system kernel
    firewall_tables ipvs conntrack iptables ipset var etc proc sys logs log tmp cmd commands host run-host
    namespaces netns sysctls ipamd daemon_status kubernetes hardware process host-collectors nodes node data
    output captures bundle
    """.split()  # noqa: SIM905
)
_NOT_BELOW = frozenset({"namespaces", "netns", "pods", "containers"})


def capture_kind(name: str) -> str:
    """The command a file name speaks of, empty if none.

    >>> capture_kind("ipvsadm-Ln.txt"), capture_kind("ipaddrshow"), capture_kind("services.json")
    ('ipvsadm', 'addr', '')
    """
    match = _CAPTURE.search(name.lower())
    return (match[1] or match[2]) if match else ""


def is_capture(name: str) -> bool:
    return bool(capture_kind(name))


def node_folders(paths: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Folders named after nodes: siblings that hold the same capture at the same place below.

    Folders that sort captures by topic (``networking/ipvsadm`` beside ``systeminfo/conntrack``) hold different ones.
    The outermost level that shows the pattern counts.
    """
    shared: dict[tuple[tuple[str, ...], tuple[str, ...]], set[str]] = defaultdict(set)
    holders: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for parts in paths:
        kind = capture_kind(parts[-1])
        for i, folder in enumerate(parts[:-1]):
            above = parts[:i]
            if not kind or folder.lower() in _CATEGORIES or not _FOLDER.fullmatch(folder):
                continue
            if above and above[-1].lower() in _NOT_BELOW:
                break
            shared[above, (*parts[i + 1 : -1], kind)].add(folder)
            holders[above].add(folder)
    levels = {above for (above, _), folders in shared.items() if len(folders) > 1}
    outermost = {a for a in levels if not any(a[:i] in levels and a[i] in holders[a[:i]] for i in range(len(a)))}
    return {(*above, folder) for above in outermost for folder in holders[above]}


def node_labels(paths: Iterable[str]) -> dict[str, str]:
    """Path to node for names like ``node-a_ipvsadm.txt`` or ``ipvsadm-node-a.txt``, per folder."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder, _, name = path.rpartition("/")
        if is_capture(name):
            folders[folder].append(path)
    found: dict[str, str] = {}
    for members in folders.values():
        for side in (_prefixes, _suffixes):
            found = {**_certain({path: side(path.rpartition("/")[2]) for path in members}), **found}
    return found


def _certain(splits: dict[str, list[tuple[str, str]]]) -> dict[str, str]:
    """Of the possible (rest, label) pairs per path, the longest label that is confirmed.

    Labels are confirmed when several stand before or behind the same rest, and each either comes with another command
    too or begins like another one (``node-a``, ``node-b``).
    """
    labels: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, set[str]] = defaultdict(set)
    for pairs in splits.values():
        for rest, label in pairs:
            labels[rest].add(label)
            kinds[label].add(capture_kind(rest))
    confirmed: set[str] = set()
    for names in labels.values():
        stems: dict[str, int] = defaultdict(int)
        for name in names:
            stems[name[:3]] += 1
        sure = {name for name in names if len(kinds[name]) > 1 or stems[name[:3]] > 1}
        if len(sure) > 1:
            confirmed |= sure
    certain: dict[str, str] = {}
    for path, pairs in splits.items():
        if fitting := [label for _, label in pairs if label in confirmed]:
            certain[path] = max(fitting, key=len)
    return certain


def _prefixes(name: str) -> list[tuple[str, str]]:
    match = _CAPTURE.search(name.lower())
    if not match or match.start() < 2 or name[match.start() - 1] not in "-_.":
        return []
    label = name[: match.start() - 1]
    return [(name[match.start() :], label)] if _is_label(label) else []


def _suffixes(name: str) -> list[tuple[str, str]]:
    stem = _EXTENSION.sub("", name)
    match = _CAPTURE.search(stem.lower())
    if not match:
        return []
    cuts = [i for i in range(match.end(), min(len(stem), 255)) if stem[i] in "-_."]
    return [(stem[:i], stem[i + 1 :]) for i in cuts if _is_label(stem[i + 1 :])]


def _is_label(text: str) -> bool:
    if _IPV4.fullmatch(text):
        return True
    if not _LABEL.fullmatch(text) or _DATE.match(text) or not any(c.isalpha() for c in text):
        return False
    return not any(word.rstrip("0123456789") in _WORDS for word in re.split(r"[-.]", text) if not word.isdigit())
