"""What the log of kube-proxy says about its mode and version.

Only two kinds of lines are facts: the proxier it chose (`Using ipvs Proxier`, cmd/kube-proxy/app/server_others.go)
and its version (`Version: v1.22.0`, since 1.23 `"Version info" version="v1.28.3"`). All others are furniture: a log
must not drown the notes. After a restart both appear again; the later line counts for readers.

>>> line = b'I1122 20:42:42.679247     930 server_others.go:218] "Using ipvs Proxier"\\n'
>>> parse(line, "kube-proxy.log").tables["host_facts"].loc[0, "value"]
'ipvs'
"""

from __future__ import annotations

import re

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed

_KLOG = re.compile(r"(?:\S+ (?:std(?:out|err) [FP] )?)?[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ [\w.-]+:\d+\] .*")
_JSON = re.compile(r'\{"ts":[\d.]+,.*"msg":.*')
_MODE = re.compile(r"[Uu]sing (iptables|ipvs|nftables|userspace|winkernel|kernelspace|IPVS) [Pp]roxier\b")
_VERSION = re.compile(r'(?:Version: (v\d+\.\d+\S*))|(?:Version info"?,? ?"?version"?[=:] ?"?(v\d+\.\d+[^"\s,]*))')
_SIGNS = ("Proxier", "proxier.go", "kube-proxy", "service config controller", "endpoint slice config")


def sniff(head: Head) -> int:
    """Log lines of klog, with a word only kube-proxy writes or under its name."""
    filled = [line.strip() for line in head.lines if line.strip()]
    logged = sum(bool(_KLOG.fullmatch(line) or _JSON.fullmatch(line)) for line in filled)
    if not logged or logged * 2 < len(filled):
        return 0
    if any(sign in head.text for sign in _SIGNS):
        return 85
    return 50 if "kube-proxy" in head.name else 0


def parse(data: bytes, file: str) -> Parsed:
    """Read one log. Without a start-up line (rotated log) nothing is known: `empty` is no statement about the mode."""
    decoded = envelope.number_lines(
        envelope.decode(data)
    )  # log text may look like prompts and frames: take it as it is
    ledger = Ledger(file, ("host_facts",))
    for number, text in decoded:
        if "roxier" in text and (match := _MODE.search(text)):
            ledger.add("host_facts", number, fact="kube-proxy-mode", value=match[1].lower())
        elif "ersion" in text and (match := _VERSION.search(text)):
            ledger.add("host_facts", number, fact="kube-proxy-version", value=match[1] or match[2])
        elif text.strip():
            ledger.furniture(number)
    return ledger.parsed(decoded, complete=False)


FORMS = (
    Form("kube-proxy-log", "kube-proxy-log", ("host_facts",), (r"kube-proxy.*\.log", r"kube-proxy"), sniff, parse, 85),
)
