"""Kubernetes objects as YAML: `kubectl get ... -o yaml`, manifests, `kubectl version -o yaml`.

A list, a single object or several documents::

    apiVersion: v1
    items:
    - apiVersion: v1
      kind: Service
      metadata: {name: web}
    kind: List

The text is cut into documents at `---` and lists into items at their dashes; each piece is loaded alone, so a broken
one is a note and the others are still read. Lines `...` put in by hand are removed first: YAML would end the document
there. The fields and tables are those of `kubectl_json`.

>>> text = b"kind: ServiceList\\nitems:\\n- metadata:\\n    name: web\\n  spec: {ports: [{port: 80}]}\\n"
>>> print(*parse(text, "services.yaml").tables["service_ports"].loc[0, ["service", "port", "line"]])
web 80 3
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec

from analyzer.parsers import kube_structs as k
from analyzer.parsers.base import Form, Head, LineCount, Parsed, Reason
from analyzer.parsers.envelope import Pairs, decode, lines, number_lines
from analyzer.parsers.kube_lenient import project
from analyzer.parsers.kube_proxy_config import is_proxy_config, proxy_config_row
from analyzer.parsers.kube_rows import OBJECT_TABLES, ObjectRows, finish
from analyzer.parsers.prompts import prompt
from analyzer.parsers.yaml_events import ANY, YamlTrouble, load

_TOP = re.compile(r"(?:---|%YAML|[A-Za-z][\w.-]*:(?:\s|$)|- [A-Za-z][\w.-]*:(?:\s|$)|#)")
_GAP = re.compile(r"\s*\.\.\.\s*")
_SEPARATOR = re.compile(r"---(?:\s.*)?")
_ROOT_KIND = re.compile(r"^kind:\s*[\"']?(\w+)", re.MULTILINE)
_ITEMS = re.compile(r"items:\s*(?:#.*)?")
_VERSION_KEY = re.compile(r"^(?:serverVersion|clientVersion|gitVersion):", re.MULTILINE)


class _Reader:
    """Reads the documents of one file; lines are the file's."""

    def __init__(self, file: str) -> None:
        self.rows = ObjectRows(file)
        self.read: set[int] = set()
        self.noted: set[int] = set()
        self.unknown: Counter[str] = Counter()
        self.first_unknown = 1

    def document(self, pairs: Pairs) -> None:
        """A list is read item by item, anything else as one object."""
        pairs = [(number, text) for number, text in pairs if not text.startswith("#")]
        while pairs and not pairs[0][1].strip():
            pairs.pop(0)
        while pairs and not pairs[-1][1].strip():
            pairs.pop()
        if not pairs:
            return
        items = next((at for at, (_, text) in enumerate(pairs) if _ITEMS.fullmatch(text)), None)
        root = _ROOT_KIND.search("\n".join(text for _, text in pairs if not text.startswith((" ", "-"))))
        kind = root[1] if root else None
        if items is not None and (kind is None or kind.endswith("List")):
            for chunk in _chunks(pairs, items + 1):
                self._item(chunk, k.listed_kind(kind))
        else:
            self._single(pairs, kind)

    def _item(self, chunk: Pairs, default: str | None) -> None:
        indent = len(chunk[0][1]) - len(chunk[0][1].lstrip(" "))
        # The kind may be the last key of an item (keys are sorted), so it is looked for before anything is decided.
        pattern = re.compile(rf" {{{indent}}}(?:- |  )kind:\s*[\"']?(\w+)[\"']?\s*")
        kind = next((match[1] for _, text in chunk if (match := pattern.fullmatch(text))), default)
        value = self._load(chunk, kind, listed=True)
        if isinstance(value, list) and value:
            self._object(value[0], kind or _kind_of(value[0]), chunk)

    def _single(self, pairs: Pairs, kind: str | None) -> None:
        text = "\n".join(line for _, line in pairs)
        if kind is None and _VERSION_KEY.search(text):
            kind = "Version"
        value = self._load(pairs, kind)
        if value is None:
            return
        if isinstance(value, dict) and isinstance(value.get("items"), list):  # a list in flow style
            for item in value["items"]:
                self._object(item, _kind_of(item) or k.listed_kind(kind), pairs)
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for item in value:
                self._object(item, _kind_of(item), pairs)
        elif kind == "KubeProxyConfiguration":
            self._proxy_config(text, pairs)
        elif isinstance(value, dict):
            self._object(value, kind or _kind_of(value), pairs)
        else:
            self._claim(pairs, "unparsed", "no mapping")

    def _load(self, pairs: Pairs, kind: str | None, *, listed: bool = False) -> Any:
        """The value, null when it cannot be read (which is noted)."""
        want: Any = k.KINDS.get(kind or "", ANY)
        try:
            return load("\n".join(text for _, text in pairs), list[want] if listed and want is not ANY else want)
        except YamlTrouble as trouble:
            if not listed and kind == "KubeProxyConfiguration":
                self._proxy_config("\n".join(text for _, text in pairs), pairs)
                return None
            number, text = pairs[min(trouble.line, len(pairs)) - 1]
            self._claim(pairs, None)
            self.rows.note(number, "unparsed", text.strip(), f"{kind or 'document'} at line {pairs[0][0]}: {trouble}")
        return None

    def _object(self, value: Any, kind: str | None, pairs: Pairs) -> None:
        line = pairs[0][0]
        if kind not in k.KINDS:
            self.unknown[kind or "object without kind"] += 1
            self.first_unknown = line if sum(self.unknown.values()) == 1 else self.first_unknown
            self._claim(pairs, None)
            return
        lost: list[str] = []
        try:
            obj = msgspec.convert(value, k.KINDS[kind])
        except (msgspec.ValidationError, OverflowError, RecursionError):
            obj = project(value, k.KINDS[kind], "", lost)
        if obj is None:
            self._claim(pairs, "unparsed", "; ".join(lost))
            return
        self.read.update(number for number, _ in pairs)
        self.rows.adder(kind)(obj, line)
        for what in lost:
            self.rows.note(line, "unparsed", f"{kind}: {what}")

    def _proxy_config(self, text: str, pairs: Pairs) -> None:
        row, problem = proxy_config_row(None, text)
        if row is None:
            self._claim(pairs, "unparsed", problem)
            return
        self.read.update(number for number, _ in pairs)
        self.rows.rows["proxy_configs"].append((*row, pairs[0][0]))
        self.rows.objects += 1
        if problem:
            self.rows.note(pairs[0][0], "cut", "KubeProxyConfiguration", problem)

    def _claim(self, pairs: Pairs, reason: Reason | None, detail: str = "") -> None:
        """The lines end as a note; without a reason somebody else writes it."""
        if reason:
            self.rows.note(pairs[0][0], reason, pairs[0][1].strip(), detail)
        self.noted.update(number for number, _ in pairs)


def _kind_of(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


def _chunks(pairs: Pairs, start: int) -> Iterator[Pairs]:
    """The items of the block list that begins at `start`: from a dash to the next one at the same depth."""
    if start >= len(pairs) or not pairs[start][1].lstrip(" ").startswith("-"):
        return
    indent = len(pairs[start][1]) - len(pairs[start][1].lstrip(" "))
    dash = " " * indent + "-"
    inside = " " * (indent + 1)
    firsts: list[int] = []
    end = start
    for at in range(start, len(pairs)):
        text = pairs[at][1]
        if text.startswith(dash) and text[indent + 1 : indent + 2] in ("", " "):
            firsts.append(at)
        elif not text.strip():
            continue
        elif not text.startswith(inside):
            break
        end = at + 1
    for first, after in pairwise([*firsts, end]):
        yield pairs[first:after]


def _pairs(data: bytes) -> tuple[Pairs, Pairs]:
    """All lines of the file, and those between which the documents stand, without the envelope."""
    plain = number_lines(decode(data))
    first, last = 0, len(plain)
    while first < last and (not plain[first][1].strip() or prompt(plain[first][1])):
        first += 1
    while last > first and (not plain[last - 1][1].strip() or prompt(plain[last - 1][1])):
        last -= 1
    inner = plain[first:last]
    if inner and _TOP.match(inner[0][1]) and not all(text.startswith("#") for _, text in inner if text.strip()):
        return plain, inner
    wrapped = lines(data)
    # The envelope takes rules and gaps for furniture; here they are separators, or places where text was cut out.
    marks = {number: text.strip(" \t>#") for number, text in plain}
    dropped = [(number, marks[number]) for number in wrapped.furniture if marks.get(number) in ("---", "...")]
    return plain, sorted([*wrapped.pairs, *dropped])


def parse(data: bytes, file: str) -> Parsed:
    """Read all objects of a file."""
    plain, pairs = _pairs(data)
    reader = _Reader(file)
    document: Pairs = []
    for number, text in pairs:
        if _GAP.fullmatch(text):
            reader.rows.note(number, "cut", f"{text.strip()} (line {number})", "lines removed by hand")
            reader.noted.add(number)
        elif _SEPARATOR.fullmatch(text):
            reader.document(document)
            document = []
            rest = text[3:].strip()
            if rest and not rest.startswith("#"):
                document.append((number, rest))
        else:
            document.append((number, text))
    reader.document(document)
    return _finish(reader, plain)


def _finish(reader: _Reader, plain: Pairs) -> Parsed:
    rows = reader.rows
    if reader.unknown:
        kinds = ", ".join(f"{number} {kind[:60]}" for kind, number in sorted(reader.unknown.items())[:20])
        rows.note(reader.first_unknown, "extra", kinds, "kinds the analysis does not use")
    filled = {number for number, text in plain if text.strip()}
    read = len(reader.read & filled)
    noted = len((reader.noted - reader.read) & filled)
    count = LineCount(len(plain), len(plain) - len(filled), read, len(filled) - read - noted, noted)
    return finish(rows, count)


_KIND_LINE = re.compile(r"^(?:- |  )?(?:  )?kind:[ \t]*[\"']?(\w+)", re.MULTILINE)
_API_LINE = re.compile(r"^(?:- |  )?(?:  )?apiVersion:[ \t]*\S", re.MULTILINE)


def sniff(head: Head) -> int:
    """YAML with apiVersion and kind, or the keys of a version document or of a kube-proxy configuration."""
    if head.text.lstrip().startswith(("{", "[")):
        return 0
    lines = _KIND_LINE.findall(head.text) if "kind:" in head.text else ()
    kinds = {kind.removesuffix("List") for kind in lines}
    if "apiVersion:" in head.text and _API_LINE.search(head.text):
        return 92 if kinds & (k.KINDS.keys() | {"", "KubeProxyConfiguration"}) else 60
    if "gitVersion:" in head.text and _VERSION_KEY.search(head.text):
        return 85
    if is_proxy_config(head.text):
        return 80
    return 70 if kinds & (k.KINDS.keys() | {"", "KubeProxyConfiguration"}) else 0


FORMS = (
    Form(
        "kubectl-yaml",
        "objects",
        OBJECT_TABLES,
        (
            r"(?:services?|endpoints?|endpointslices?|nodes?|pods?|configmaps?|daemonsets?|events?|kube-proxy|version)"
            r"[\w.-]*\.ya?ml$",
        ),
        sniff,
        parse,
        92,
    ),
)
