"""Places where the line around a value says what it is: hexadecimal addresses of /proc, sockets of netstat, secrets, annotations.

Each rule gives spans of the text with what is to stand there; the rest of the text is left to the scanner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from analyzer.redact.scanner import Scanner, flipped
from analyzer.redact.text import unpacked

Span = tuple[int, int, str]

_TCP = re.compile(
    r"(?m)^ *[0-9]+: ([0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4} ([0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4} [0-9A-F]{2} ",
    re.ASCII,
)
_IP_VS = re.compile(r"(?m)^(?:(?:TCP|UDP|SCTP)|  ->)\s+([0-9A-F]{8}):[0-9A-F]{4}\s")
_IP_VS_CONN = re.compile(
    r"(?m)^(?:TCP|UDP|SCTP|IP)\s+([0-9A-F]{8}) [0-9A-F]{4} ([0-9A-F]{8}) [0-9A-F]{4} ([0-9A-F]{8}) [0-9A-F]{4}\s"
)
_ROUTE = re.compile(
    r"(?m)^\S+\s+([0-9A-F]{8})\s+([0-9A-F]{8})\s+[0-9A-F]{4}\s+[0-9]+\s+[0-9]+\s+[0-9]+\s+([0-9A-F]{8})\s"
)
_INET6 = re.compile(r"(?m)^([0-9a-f]{32}) [0-9a-f]{2} ([0-9a-f]{2}) [0-9a-f]{2} [0-9a-f]{2} +\S+ *$")
_ROUTE6 = re.compile(r"(?m)^([0-9a-f]{32}) ([0-9a-f]{2}) ([0-9a-f]{32}) ([0-9a-f]{2}) ([0-9a-f]{32}) [0-9a-f]{8} ")
_NETSTAT = re.compile(
    r"(?m)^(?:tcp6|udp6)\s+[0-9]+\s+[0-9]+\s+([0-9a-fA-F:.%]+):(?:[0-9]+|\*)\s+([0-9a-fA-F:.%]+):(?:[0-9]+|\*)"
)

_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{3,40}-----(?:(?!-----)[A-Za-z0-9+/=\s\\>|:,.-])*(?:-----END [A-Z0-9 ]{3,40}-----)?"
)
_BODY = re.compile(r"(?<![A-Za-z0-9+/=_\\-])[A-Za-z0-9+/]{40,}={0,2}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{6,}={0,2}")
_KINDS = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9][^0-9]*[0-9]"))
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,2}")
_SECRET_WORDS = (
    "password", "passwd", "passphrase", "secret", "token", "access_key", "access-key", "accesskey", "api_key", "api-key", "apikey",
    "private_key", "private-key", "privatekey", "secret_key", "secret-key", "secretkey", "credential", "authorization", "bearer", "pwd",
)  # fmt: skip
_SECRET = re.compile(
    # On the same line: in YAML the next one is another key.
    r"(?i)(?:[_-]?(?:id|secret))?(?P<key>\\*[\"'])?(?:[ \t]*+(?P<sign>[:=])|[ \t])[ \t]*+(?:(?:bearer|basic)[ \t]++)?(?P<quote>\\*[\"'])?"
    # A path is none. It is told from its first character: text that repeats such words would be looked at to its end again and again.
    r"(?!/|redacted)(?P<value>[^\s\"'\\,;{}\[\]<>()]{4,})"
)
_HARMLESS = re.compile("(?i)true|false|null|none")
_PROSE = re.compile(r"(?i)[a-z]+|[-+0-9.:e]+")
_NUMBER = re.compile(r"(?i)[-+0-9.e]+|NaN|-?Infinity")
_ENV = re.compile(r'"name"\s*:\s*"[A-Za-z_][A-Za-z0-9_.-]*"\s*,\s*"value"\s*:\s*"(?P<value>(?:[^"\\]|\\.)+)"')
_ENV_BACK = re.compile(r'"value"\s*:\s*"(?P<value>(?:[^"\\]|\\.)+)"\s*,\s*"name"\s*:\s*"[A-Za-z_][A-Za-z0-9_.-]*"')
_ENV_YAML = re.compile(r"(?m)^ *- name: *[\"']?[A-Za-z_][A-Za-z0-9_.-]*[\"']?\n +value: *(?P<value>\S[^\n]*)$")
_HARMLESS_VALUE = re.compile(r"true|false|[0-9]{1,9}|redacted")
_URL_USER = re.compile(r"[a-z][a-z0-9+.-]{1,20}://(?P<user>[^\s/@:\"'\\]{1,100}(?::[^\s/@\"'\\]{1,200})?)@")


def _hex(scanner: Scanner, text: str, *, little: bool) -> str:
    packed = bytes.fromhex(text)
    image = flipped(scanner.raw(flipped(packed))) if little else scanner.raw(packed)
    return image.hex().upper() if text.upper() == text else image.hex()


def _columns(pattern: re.Pattern[str], *groups: int, little: bool) -> Callable[[Scanner, str], Iterator[Span]]:
    def spans(scanner: Scanner, text: str) -> Iterator[Span]:
        for match in pattern.finditer(text):
            for group in groups:
                yield match.start(group), match.end(group), _hex(scanner, match[group], little=little)

    return spans


def _route(scanner: Scanner, text: str) -> Iterator[Span]:
    """/proc/net/route: destination, gateway, mask, little endian."""
    for match in _ROUTE.finditer(text):
        mask = bytes.fromhex(match[3])[::-1]
        length = int.from_bytes(mask, "big").bit_count()
        network = ".".join(map(str, bytes.fromhex(match[1])[::-1]))
        image = bytes(map(int, scanner.address(network, length).split(".")))[::-1]
        yield match.start(1), match.end(1), image.hex().upper()
        yield match.start(2), match.end(2), _hex(scanner, match[2], little=True)
        yield match.start(3), match.end(3), match[3]


def _netstat(scanner: Scanner, text: str) -> Iterator[Span]:
    """Sockets of netstat: the port follows an IPv6 address without brackets."""
    for match in _NETSTAT.finditer(text):
        for group in (1, 2):
            try:
                yield match.start(group), match.end(group), scanner.address(match[group])
            except ValueError:
                continue


def _blobs(scanner: Scanner, text: str) -> Iterator[Span]:
    """Certificates, keys, tokens: nothing of them stays; equal ones stay equal."""
    if "-----BEGIN" in text:
        for match in _PEM.finditer(text):
            yield match.start(), match.end(), _gone(scanner, match[0])
    for match in _JWT.finditer(text) if "eyJ" in text else ():
        yield match.start(), match.end(), _gone(scanner, match[0])
    for match in _BODY.finditer(text):
        is_path = match[0].count("/") >= 4 and re.search("/[a-z]{2,20}/[a-z]", match[0])
        if all(kind.search(match[0]) for kind in _KINDS) and not is_path:
            yield match.start(), match.end(), _gone(scanner, match[0])


def _encoded(scanner: Scanner, text: str) -> Iterator[Span]:
    """base64 of text in which something would be replaced."""
    for match in _BASE64.finditer(text):
        said = "" if match[0].isdigit() else unpacked(match[0])
        if said and scanner.text(said) != said:
            yield match.start(), match.end(), _gone(scanner, match[0])


def _secrets(scanner: Scanner, text: str) -> Iterator[Span]:
    lower = text.lower()
    if len(lower) != len(text):  # a few letters grow when they are made small
        lower = "".join(one.lower() if one.isascii() else one for one in text)
    for word in _SECRET_WORDS:
        at = lower.find(word)
        while at >= 0:
            match = _SECRET.match(text, at + len(word))
            if match and _is_secret(match):
                yield match.start("value"), match.end("value"), _gone(scanner, match["value"])
                at = match.end("value") - 1  # nothing that begins in a value ends behind it
            at = lower.find(word, at + 1)
    for match in _URL_USER.finditer(text) if "://" in text else ():
        yield match.start("user"), match.end("user"), _gone(scanner, match["user"])


def _is_secret(match: re.Match[str]) -> bool:
    """Whether a value behind such a word is one: not the next word of a sentence, not a number of JSON."""
    value = match["value"]
    if _HARMLESS.fullmatch(value) or (not match["sign"] and _PROSE.fullmatch(value)):
        return False
    return not (match["key"] and not match["quote"] and _NUMBER.fullmatch(value))


def _environment(scanner: Scanner, text: str) -> Iterator[Span]:
    """Values of environment variables, in JSON and YAML."""
    for pattern in (_ENV, _ENV_BACK, _ENV_YAML) if "value" in text else ():
        for match in pattern.finditer(text):
            if not _HARMLESS_VALUE.fullmatch(match["value"]):
                yield match.start("value"), match.end("value"), _gone(scanner, match["value"])


def _gone(scanner: Scanner, text: str) -> str:
    """A mark of constant form; lines stay lines, so that numbers of lines hold."""
    mark = "redacted-" + scanner.book.digest_word(text)
    return mark + "\n" * text.count("\n")


_RULES: tuple[tuple[re.Pattern[str], Callable[[Scanner, str], Iterator[Span]]], ...] = (
    (_TCP, _columns(_TCP, 1, 2, little=True)),
    (_IP_VS, _columns(_IP_VS, 1, little=False)),
    (_IP_VS_CONN, _columns(_IP_VS_CONN, 1, 2, 3, little=False)),
    (_INET6, _columns(_INET6, 1, little=False)),
    (_ROUTE6, _columns(_ROUTE6, 1, 3, 5, little=False)),
    (_ROUTE, _route),
)
_HEXISH = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{32})[: \t]")


def spans(scanner: Scanner, text: str) -> list[Span]:
    """All spans, in order, without overlaps: of one that begins in another, what stands behind that is left."""
    found: list[Span] = []
    if _HEXISH.search(text):
        found = [span for pattern, rule in _RULES if pattern.search(text) for span in rule(scanner, text)]
    if "tcp6" in text or "udp6" in text:
        found += _netstat(scanner, text)
    found += _blobs(scanner, text)
    found += _encoded(scanner, text)
    found += _secrets(scanner, text)
    found += _environment(scanner, text)
    found += _annotations(scanner, text)
    kept: list[Span] = []
    for span in sorted(found, key=lambda one: (one[0], -one[1])):
        start = max(span[0], kept[-1][1]) if kept else span[0]
        if start == span[0] or (start < span[1] and "\n" not in span[2]):
            kept.append((start, *span[1:]))
    return kept


_STRING = r'"(?:[^"\\]|\\.)*"'
_JSON_MAP = re.compile(rf'"annotations"\s*:\s*\{{((?:\s*{_STRING}\s*:\s*{_STRING}\s*,?)*)\s*\}}')
_PAIR = re.compile(r'("(?:[^"\\]|\\.)*")\s*:\s*("(?:[^"\\]|\\.)*")')
_YAML_MAP = re.compile(r"(?m)^( *)(?:- )?annotations:[ \t]*\n((?:\1[ ]+.*\n|[ \t]*\n)+)")
_YAML_PAIR = re.compile(
    r"""(?m)^( +)(?:"([^"\n]+)"|'([^'\n]+)'|([^\s:'"][^\s:]*)):[ \t]+(.*(?:\n\1[ ]+.*|\n[ \t]*(?=\n))*)"""
)
_KNOWN_KEY = re.compile(
    r"(?:[a-z0-9.-]+\.)?(?:kubernetes\.io|k8s\.io|k8s\.alibaba|alibabacloud\.com|aliyun\.com|coreos\.com|projectcalico\.org|cilium\.io|"
    r"amazonaws\.com|eks\.amazonaws\.com|metallb\.universe\.tf|metallb\.io|oraclecloud\.com|tencent\.com|huawei\.com)/.+"
)
_COPIES = ("last-applied-configuration",)


def known_key(key: str) -> bool:
    """Whether a key of a label or annotation belongs to Kubernetes or a cloud, so that its value has a known form."""
    return bool(_KNOWN_KEY.fullmatch(key))


def _annotations(scanner: Scanner, text: str) -> Iterator[Span]:
    """Values of annotations: of known keys they are scanned like any text, of others and of copies nothing stays."""
    for whole in _JSON_MAP.finditer(text) if '"annotations"' in text else ():
        for pair in _PAIR.finditer(text, whole.start(1), whole.end(1)):
            if _hides(pair[1][1:-1]) and len(pair[2]) > 2:
                yield pair.start(2) + 1, pair.end(2) - 1, _gone(scanner, pair[2])
    for whole in _YAML_MAP.finditer(text) if "annotations:" in text else ():
        for pair in _YAML_PAIR.finditer(text, whole.start(2), whole.end(2)):
            if _hides(pair[2] or pair[3] or pair[4]) and pair[5].strip():
                yield pair.start(5), pair.end(5), _gone(scanner, pair[5])


def _hides(key: str) -> bool:
    return not known_key(key) or any(key.endswith(copy) for copy in _COPIES)


def replace(scanner: Scanner, text: str) -> str:
    """The image of a piece of a member: spans where the place tells, the scanner for the rest."""
    out: list[str] = []
    done = 0
    for start, end, image in spans(scanner, text):
        out += [scanner.text(text[done:start]), image]
        done = end
    out.append(scanner.text(text[done:]))
    return "".join(out)
