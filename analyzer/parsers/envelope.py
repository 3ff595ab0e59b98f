"""What surrounds the output of a command in a file, and how it is taken off.

People and collectors wrap output in prompts, quotes, fences, margins and frames. `lines` gives the text without
them, each line with its original number; what was taken off is remembered, so that the account of lines stays whole.
Large captures rarely have any of it: whole-text searches decide first, so that clean text costs no work per line.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from analyzer.parsers.base import Head, Ledger, Parsed, ParseNote, State
from analyzer.parsers.prompts import KNOWN, SIGNS, WATCH, heading, prompt

Pairs = list[tuple[int, str]]

HEAD_BYTES = 64 << 10
HEAD_LINES = 200

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*\x07|[@-Z\\-_])")
_RULE = re.compile(r"[=─━*_~+|·\-]{3,}|[┌└├╭╰╔╚][─━┬┴┼═ ]*[┐┘┤╮╯╗╝]?|--")
_ELLIPSIS = re.compile(
    r"\s*(?:\[?\(?(?:\.{3,}|…+)\)?\]?|#{1,2}\s*(?:omitted|snip|truncated|\.{3,}).{0,80}|[<\[(]\s*(?:snip|snipped|omitted|truncated|cut)\s*[>\])]|-{2,}\s*(?:snip|snipped|omitted|truncated|cut)\s*-{2,}|\.{3,}\s*(?:omitted|snip|truncated|省略).{0,80})\s*"
)
_NUMBERED = re.compile(r"\s*(\d{1,9})(?:\t| ?[|│] ?| {1,2}|$)(.*)")
_FENCE = re.compile(r"(?:```|~~~)[\w.+-]*")

_ERRORS = re.compile(
    r"command not found|: not found$|not installed|No such file or directory|Operation not permitted|"
    r"[Pp]ermission denied|You must be root|must be run as root|Can't initialize ipvs|Protocol not available|"
    r"No such device|does not exist|failed to collect info|was refused|[Cc]onnection refused|\bForbidden\b|"
    r"is forbidden|Unauthorized|Unable to connect to the server|Error from server|executable file not found|"
    r"Cannot open netlink|Invalid argument|is unknown, try|unrecognized option|unknown option|invalid option|"
    r"Kernel support|not supported|TLS handshake timeout|i/o timeout|context deadline exceeded|[Tt]imed out|Killed$|"
    r"Segmentation fault|拒绝连接|未找到命令|没有那个文件或目录|权限不够|不允许的操作"
)


@dataclass(slots=True)
class Envelope:
    """Decoded lines without their envelope.

    `pairs` are (original line number, text), blank lines included. `furniture` are the numbers of the non-blank lines
    taken off as a whole (prompts, frames, gaps, joined tails). `facts` may hold command, host and time. `filtered` is
    true when rows were removed by hand or by a filter, so that absence proves nothing.
    """

    pairs: Pairs
    furniture: list[int] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    notes: list[ParseNote] = field(default_factory=list)
    filtered: bool = False

    def close(
        self,
        ledger: Ledger,
        *,
        complete: bool = True,
        state: State | None = None,
        detail: str = "",
        facts: Mapping[str, str] | None = None,
    ) -> Parsed:
        """`Ledger.parsed` over the whole file: the envelope's furniture and notes enter the account."""
        for number in self.furniture:
            ledger.furniture(number)
        for note in self.notes:
            ledger.also(note.line, note.reason, note.text, note.detail)
        whole = [*self.pairs, *((number, "-") for number in self.furniture)]
        return ledger.parsed(
            whole,
            complete=complete and not self.filtered,
            state=state,
            detail=detail,
            facts={**self.facts, **(facts or {})},
        )


def decode(data: bytes) -> str:
    """Text of a capture: UTF-8 (UTF-16 by its mark), line ends as `\\n`, no NUL, no terminal colours."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = data.decode(encoding, errors="replace").removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        text = text.replace("\r", " " if "\n" in text else "\n")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return text


def number_lines(text: str) -> Pairs:
    """Lines with their numbers; only `\\n` ends a line, so numbers agree with every editor and `sed -n`."""
    rows = text.split("\n")
    if rows and not rows[-1]:
        rows.pop()
    return list(enumerate(rows, 1))


def lines(data: bytes) -> Envelope:
    """The lines of a capture with their original numbers, the envelope removed."""
    text = decode(data)
    envelope = Envelope(number_lines(text))
    first = text.lstrip("\n")
    suspects = (
        first[:1] in " \t>#|│+`~"
        or first[:1].isdigit()
        or first[:6] == "Every "
        or "=3D" in text
        or ("\\" in text and " \\\n" in text)
    )
    if not suspects and not _anywhere(text):
        return envelope
    if "```" in text or "~~~" in text:
        _fences(envelope)
    digit = first[:1].isdigit()  # then no sign and no blank begins every line
    if not digit:
        _frames(envelope)
    numbered = envelope.pairs
    _numbers(envelope)
    bare = digit and envelope.pairs is numbered
    if not bare or "\n>" in text:
        _quotes(envelope)
    if not bare:
        _comments(envelope)
    if "=3D" in text:
        _quoted_printable(envelope)
    if " \\\n" in text:
        _continuations(envelope)
    if not bare:
        _margin(envelope)
    _furniture(envelope, signs="=3D" in text or any(sign in text for sign in SIGNS))
    if not bare or envelope.furniture:
        _margin(envelope)
    return envelope


# A mark is searched only where its rarest character occurs: one character is found many times faster than two.
_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("#", ("# ", "#\n")), ("$", ("$ ", "$\n")), ("%", ("% ",)), ("`", ("```",)), ("~", ("~~~",)), ("=", ("===",)),
    ("*", ("**",)), ("+", ("[+]",)), (">", ("\n> ",)), ("--", ("---", "\n--\n", "-- ")), ("❯", ("❯",)), ("➜", ("➜",)), ("…", ("…",)),
    ("─", ("──",)), (".", ("...",)),
)  # fmt: skip
_GAP_SIGNS, _GAP_WORDS = "#<[(", ("omitted", "snip", "truncated", "cut")


def _anywhere(text: str) -> bool:
    """Whether a mark of an envelope occurs at all; plain substring searches, fast on large text."""
    signs = [marks for sign, marks in _MARKS if sign in text and (sign != "=" or text.count("=") > 2)]
    if any(mark in text for marks in signs for mark in marks) or text[-1:] in "#$":
        return True
    # A word for a gap stands in brackets or after `#`; the banner of ipvsadm has a bracket of its own.
    begin = text.find("\n") + 1 if text.startswith("IP Virtual Server") else 0
    return any(text.find(sign, begin) >= 0 for sign in _GAP_SIGNS) and any(word in text for word in _GAP_WORDS)


def _drop(envelope: Envelope, numbers: set[int]) -> None:
    if numbers:
        envelope.pairs = [pair for pair in envelope.pairs if pair[0] not in numbers]
        envelope.furniture.extend(sorted(numbers))


def _fences(envelope: Envelope) -> None:
    dropped: set[int] = set()
    for index, (number, text) in enumerate(envelope.pairs):
        if "```" not in text and "~~~" not in text:
            continue
        bare = text.strip()
        if _FENCE.fullmatch(bare):
            dropped.add(number)
        elif bare.endswith("```"):  # glued to the last line
            envelope.pairs[index] = (number, text.rstrip()[:-3])
    _drop(envelope, dropped)


def _frames(envelope: Envelope) -> None:
    """`| text |` or `│ text │` on every line between rules."""
    bare = [(number, text.strip()) for number, text in envelope.pairs if text.strip()]
    inner = [text for _, text in bare if not _RULE.fullmatch(text)]
    if len(inner) < 2 or len(inner) == len(bare) or not all(text[0] in "|│║" and text[-1] in "|│║" for text in inner):
        return
    envelope.pairs = [
        (number, text.strip()[1:-1].rstrip() if text.strip()[:1] in ("|", "│", "║") else text)
        for number, text in envelope.pairs
    ]


def _numbers(envelope: Envelope) -> None:
    """Line numbers of an editor or `cat -n`: only if they ascend by one on every line. `1: lo` is not such a number."""
    stripped: Pairs = []
    expected: int | None = None
    for number, text in envelope.pairs:
        if not text.strip():
            stripped.append((number, text))
            expected = None if expected is None else expected + 1
            continue
        match = _NUMBERED.fullmatch(text)
        if match is None:
            return
        value = int(match[1])
        if expected is not None and value not in (expected, expected - 1):
            return
        expected = value + 1
        stripped.append((number, match[2]))
    if expected is not None and sum(1 for _, text in envelope.pairs if text.strip()) >= 3:
        envelope.pairs = stripped


def _quotes(envelope: Envelope) -> None:
    """`> ` of mail: when most lines have it; prose between quoted lines stays and becomes the parser's note."""
    for _ in range(4):
        filled = [text for _, text in envelope.pairs if text.strip()]
        quoted = sum(1 for text in filled if text.startswith(">") and not text.startswith(">>>"))
        if quoted < 2 or quoted * 10 < len(filled) * 6:
            return
        envelope.pairs = [
            (number, text[2:] if text.startswith("> ") else text[1:] if text.startswith(">") else text)
            for number, text in envelope.pairs
        ]


def _comments(envelope: Envelope) -> None:
    """`# ` when every line has it; the comments of a tool (iptables-save) stand on some lines only."""
    filled = [text for _, text in envelope.pairs if text.strip()]
    if len(filled) < 2 or not all(text.startswith("#") and not text.startswith("##") for text in filled):
        return
    if any(text.startswith("# Generated by") for text in filled):
        return
    envelope.pairs = [
        (number, text[2:] if text.startswith("# ") else text[1:] if text.startswith("#") else text)
        for number, text in envelope.pairs
    ]


def _quoted_printable(envelope: Envelope) -> None:
    """Mail encoding: decoded if `=3D` occurs and no plain `src=` does; soft breaks are joined."""
    whole = "\n".join(text for _, text in envelope.pairs)
    if whole.count("=3D") < 2 or re.search(r"\bsrc=(?!3D)", whole):
        return
    decoded: Pairs = []
    tail: set[int] = set()
    blank: Pairs = []  # joined, but still lines of the file
    open_line: tuple[int, str] | None = None
    for number, text in envelope.pairs:
        if open_line is not None:
            if text.strip():
                tail.add(number)
            else:
                blank.append((number, ""))
            open_line = (open_line[0], open_line[1] + text)
        else:
            open_line = (number, text)
        if open_line[1].endswith("="):
            open_line = (open_line[0], open_line[1][:-1])
            continue
        decoded += [open_line, *blank]
        open_line = None
        blank = []
    if open_line is not None:
        decoded += [open_line, *blank]
    envelope.pairs = [
        (number, quopri.decodestring(text.encode("utf-8")).decode("utf-8", errors="replace").replace("\n", " "))
        if "=" in text
        else (number, text)
        for number, text in decoded
    ]
    envelope.furniture.extend(sorted(tail))
    first = next((pair for pair in envelope.pairs if pair[1].strip()), (1, ""))
    envelope.notes.append(ParseNote(first[0], "assumed", first[1][:200], "decoded from quoted-printable"))


def _continuations(envelope: Envelope) -> None:
    r"""A trailing ` \` continues on the next line. iproute2's `-o` writes `\` inside lines, never at their ends."""
    joined: Pairs = []
    tail: set[int] = set()
    index = 0
    pairs = envelope.pairs
    while index < len(pairs):
        number, text = pairs[index]
        parts = [text]
        blank: Pairs = []  # joined, but still lines of the file
        last = number
        while parts[-1].endswith(" \\") and index + 1 < len(pairs):
            parts[-1] = parts[-1][:-2]
            index += 1
            last, more = pairs[index]
            if more.strip():
                tail.add(last)
            else:
                blank.append((last, ""))
            parts.append(more.strip() if not more.endswith(" \\") else more.strip()[:-2].strip() + " \\")
        if last != number:
            text = " ".join(parts)
            if text.strip():
                envelope.notes.append(ParseNote(number, "assumed", text[:200], f"lines {number} to {last} joined"))
        joined += [(number, text), *blank]
        index += 1
    envelope.pairs = joined
    envelope.furniture.extend(sorted(tail))


def _margin(envelope: Envelope) -> None:
    """The blanks or tabs that begin every non-blank line."""
    common: str | None = None
    for _, text in envelope.pairs:
        if not text.strip():
            continue
        lead = text[: len(text) - len(text.lstrip(" \t"))]
        if common is None:
            common = lead
        else:
            size = 0
            while size < len(common) and size < len(lead) and common[size] == lead[size]:
                size += 1
            common = common[:size]
        if not common:
            return
    if common:
        envelope.pairs = [(number, text.removeprefix(common)) for number, text in envelope.pairs]


def _furniture(envelope: Envelope, *, signs: bool) -> None:
    """Prompts, watch headers, headings, rules and gaps; `signs` when a prompt's sign occurs somewhere."""
    dropped: set[int] = set()
    for index, (number, text) in enumerate(envelope.pairs):
        bare = text.strip()
        if not bare or (not signs and bare[0].isalnum() and "@" not in bare and not bare.startswith("Every ")):
            continue
        if bare.startswith("**") and bare.endswith("**") and len(bare) > 4 and bare[2] != "*":
            envelope.pairs[index] = (number, text.replace("**", ""))  # bold marks around a row
        elif found := prompt(bare):
            dropped.add(number)
            if found[0]:
                envelope.facts.setdefault("command", found[0])
                envelope.filtered = envelope.filtered or bool(
                    re.search(r"\|\s*(?:e?grep|head|tail|awk|sed)\b", found[0])
                )
            if found[1]:
                envelope.facts.setdefault("host", found[1])
            if bare.startswith("Every ") and (match := WATCH.fullmatch(bare)) and match["time"]:
                envelope.facts.setdefault("time", match["time"])
        elif len(bare) < 200 and _RULE.fullmatch(bare):
            dropped.add(number)
            envelope.filtered = envelope.filtered or bare == "--"  # grep's separator between groups
        elif len(bare) < 200 and ("." in bare or "…" in bare or bare[0] in "#<[(-") and _ELLIPSIS.fullmatch(bare):
            dropped.add(number)
            envelope.filtered = True
            envelope.notes.append(ParseNote(number, "cut", bare, "rows removed by hand"))
        elif title := heading(bare):
            dropped.add(number)
            if KNOWN.fullmatch(title):
                envelope.facts.setdefault("command", title)
    _drop(envelope, dropped)


def head(data: bytes, name: str) -> Head:
    """The first lines of a member (64 KiB, 200 lines) without envelope, for recognition; `name` may be a path."""
    cut = len(data) > HEAD_BYTES
    found = [text for _, text in lines(data[:HEAD_BYTES]).pairs]
    if cut and len(found) > 1:
        found.pop()
    shown = tuple(found[:HEAD_LINES])
    return Head(name.rpartition("/")[2].lower(), shown, "\n".join(shown))


def error_text(texts: Iterable[str]) -> str:
    """The first line of an error message that stands where output should be, or an empty text.

    Only short texts are error messages; the caller asks when no form recognised the content.

    >>> error_text(["bash: ipvsadm: command not found"])
    'bash: ipvsadm: command not found'
    >>> error_text(["TCP  203.0.113.10:443 rr"])
    ''
    """
    filled = [text.strip() for text in texts if text.strip()]
    if not filled or len(filled) > 40:
        return ""
    return next((text[:200] for text in filled[:5] if _ERRORS.search(text[:2000])), "")
