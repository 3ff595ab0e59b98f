"""Kernel parameters: `sysctl -a` (`a.b = v`), variants (`a.b: v`, `a.b=v`), `grep . /proc/sys/…` (`path:v`).

A parameter that could not be read is printed as an error line, which becomes a note.

>>> parse(b"net.ipv4.vs.conntrack = 1\\n", "sysctl.txt").tables["sysctls"].loc[0, "value"]
'1'
"""

from __future__ import annotations

import re

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed

_DOTTED = re.compile(r"((?:abi|debug|dev|fs|kernel|net|user|vm|sunrpc|crypto)(?:[./][\w@:*+-]+)+?)\s*(?:=|:\s)\s*(.*)")
_PATH = re.compile(r"/proc/sys/((?:[\w@.*+-]+/)*[\w@.*+-]+)\s*[:=]\s*(.*)")
_FAILED = re.compile(r"sysctl: .*")


def sniff(head: Head) -> int:
    """Mostly assignments to names that begin with a top directory of /proc/sys."""
    filled = [line.strip() for line in head.lines if line.strip() and not _FAILED.fullmatch(line.strip())]
    found = sum(bool(_DOTTED.fullmatch(line) or _PATH.fullmatch(line)) for line in filled)
    return 85 if found and found * 2 > len(filled) else 0


def dotted(path: str) -> str:
    """The dotted name of a path; `sysctl` swaps dots and slashes, so eth0.30 is printed as eth0/30.

    >>> dotted("net/ipv4/conf/eth0.30/rp_filter")
    'net.ipv4.conf.eth0/30.rp_filter'
    """
    return path.translate(str.maketrans("./", "/."))


def parse(data: bytes, file: str) -> Parsed:
    """Read one capture. The same key twice: both rows stay, in order, and the later one counts for readers."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("sysctls",))
    filled = False
    for number, text in opened.pairs:
        bare = text.strip()
        if not bare:
            continue
        filled = True
        if match := _PATH.fullmatch(bare):
            ledger.add("sysctls", number, key=dotted(match[1]), value=" ".join(match[2].split()))
        elif match := _DOTTED.fullmatch(bare):
            key = match[1] if "." in match[1] else dotted(match[1])
            ledger.add("sysctls", number, key=key, value=" ".join(match[2].split()))
        elif _FAILED.fullmatch(bare):
            ledger.note(number, "error-text", text)
        else:
            ledger.note(number, "unparsed", text)
    return opened.close(ledger, state="failed" if filled and not ledger.count("sysctls") else None)


FORMS = (Form("sysctl", "sysctl", ("sysctls",), (r"sysctl",), sniff, parse, 85),)
