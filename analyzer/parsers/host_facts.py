"""Short facts about a node: host name, kernel, modules, tool versions.

`hostname` prints one word; `uname -a` begins with `Linux`; `lsmod` prints name, size, users. Tool versions are the
first lines of `ip -V`, `iptables -V`, `ipvsadm -v`, `ipset -v`, `conntrack -V`; `/etc/os-release` may follow them.

>>> parse_uname(b"Linux node-a 6.1.0 #1 SMP x86_64 GNU/Linux\\n", "uname.txt").tables["host_facts"].loc[0, "value"]
'6.1.0'
"""

from __future__ import annotations

import re
from collections.abc import Callable

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed

TABLES = ("host_facts",)
_HOSTNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63}){0,20}\.?")
_UNAME = re.compile(r"Linux (\S+) (\d+\.\d+\S*) (#\S.*)")
_RELEASE = re.compile(r"\d++\.\d++\.\d++[-\w.+]*+")
_MODULE = re.compile(r"([\w-]{1,64})\s+\d+\s+-?\d+(?:\s+\S+)?")
_MODULE_TITLE = re.compile(r"Module\s+Size\s+Used by")
_TOOL = re.compile(
    r"(ip) utility, iproute2-(\S+?),?(?: .*)?|(ss) utility, iproute2-(\S+?),?(?: .*)?"
    r"|((?:ip6?tables(?:-save)?|ipvsadm|ipset|conntrack|nft|nftables|kubectl|kubelet|kube-proxy|docker|containerd|runc|crictl))"
    r",? (?:version )?v?(\d\S*?),?(?: .*)?"
)


_OS = re.compile(r"PRETTY_NAME=[\"']?([^\"']{1,100})[\"']?")
_OS_OTHER = re.compile(r"[A-Z][A-Z_0-9]{1,40}=.*")  # the rest of /etc/os-release


def sniff_hostname(head: Head) -> int:
    """One word, under a name that promises a host name: any word could be one."""
    filled = [line.strip() for line in head.lines if line.strip()]
    named = "hostname" in head.name
    return 60 if named and len(filled) == 1 and _HOSTNAME.fullmatch(filled[0]) else 0


def sniff_uname(head: Head) -> int:
    """A line of `uname -a`, or a release under a name that promises one."""
    filled = [line.strip() for line in head.lines if line.strip()]
    if len(filled) <= 3 and any(_UNAME.fullmatch(line) for line in filled):
        return 92
    named = re.search(r"uname|kernel", head.name) is not None
    return 60 if named and len(filled) == 1 and _RELEASE.fullmatch(filled[0]) else 0


def sniff_lsmod(head: Head) -> int:
    """The title row, or only rows of name, size and users."""
    filled = [line.strip() for line in head.lines if line.strip()]
    if filled and _MODULE_TITLE.fullmatch(filled[0]):
        return 95
    return 60 if len(filled) > 1 and all(_MODULE.fullmatch(line) for line in filled) else 0


def sniff_tools(head: Head) -> int:
    """Mostly version lines of the tools that take the captures."""
    filled = [line.strip() for line in head.lines if line.strip()]
    found = sum(bool(_TOOL.fullmatch(line)) for line in filled)
    about = sum(bool(_OS_OTHER.fullmatch(line)) for line in filled)
    return 80 if found and (found + about) * 2 > len(filled) else 0


def _each(data: bytes, file: str, read: Callable[[Ledger, int, str], bool]) -> Parsed:
    """Give every non-blank line to `read`; what it refuses becomes a note."""
    opened = envelope.lines(data)
    ledger = Ledger(file, TABLES)
    filled = False
    for number, text in opened.pairs:
        if bare := text.strip():
            filled = True
            if not read(ledger, number, bare):
                ledger.note(number, "unparsed", text)
    return opened.close(ledger, state="failed" if filled and not ledger.count("host_facts") else None)


def parse_hostname(data: bytes, file: str) -> Parsed:
    """The host name: the first line that is one."""

    def read(ledger: Ledger, line: int, text: str) -> bool:
        if ledger.count("host_facts") or not _HOSTNAME.fullmatch(text):
            return False
        ledger.add("host_facts", line, fact="hostname", value=text.rstrip("."))
        return True

    return _each(data, file, read)


def parse_uname(data: bytes, file: str) -> Parsed:
    """The kernel release. The node name inside is not taken: in containers and namespaces it names something else."""

    def read(ledger: Ledger, line: int, text: str) -> bool:
        match = _UNAME.fullmatch(text)
        release = match[2] if match else text if _RELEASE.fullmatch(text) else None
        if release is None:
            return False
        ledger.add("host_facts", line, fact="kernel", value=release)
        return True

    return _each(data, file, read)


def parse_lsmod(data: bytes, file: str) -> Parsed:
    """The loaded modules, one fact each."""

    def read(ledger: Ledger, line: int, text: str) -> bool:
        if _MODULE_TITLE.fullmatch(text):
            ledger.furniture(line)
            return True
        match = _MODULE.fullmatch(text)
        if match:
            ledger.add("host_facts", line, fact="module", value=match[1])
        return match is not None

    return _each(data, file, read)


def parse_tools(data: bytes, file: str) -> Parsed:
    """Tool versions as `name version`, and the system's name from `/etc/os-release` as fact `os`."""

    def read(ledger: Ledger, line: int, text: str) -> bool:
        match = _TOOL.fullmatch(text)
        if match:
            name, version = (group for group in match.groups() if group is not None)
            ledger.add("host_facts", line, fact="tool", value=f"{name} {version}")
        elif system := _OS.fullmatch(text):
            ledger.add("host_facts", line, fact="os", value=system[1])
        elif _OS_OTHER.fullmatch(text):
            ledger.furniture(line)
        else:
            return False
        return True

    return _each(data, file, read)


FORMS = (
    Form("hostname", "hostname", TABLES, (r"hostname",), sniff_hostname, parse_hostname, 60),
    Form("uname", "uname", TABLES, (r"uname", r"kernel[-_]?(?:version|release)?"), sniff_uname, parse_uname, 92),
    Form("lsmod", "lsmod", TABLES, (r"lsmod", r"modules"), sniff_lsmod, parse_lsmod),
    Form("tool-versions", "tool-versions", TABLES, (r"tool[-_]?versions?",), sniff_tools, parse_tools, 80),
)
