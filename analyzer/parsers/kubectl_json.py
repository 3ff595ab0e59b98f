"""Kubernetes objects as JSON: `kubectl get ... -o json`, `kubectl version -o json`, `kubectl cluster-info dump`.

A list, a single object, or several documents one after another, with or without text between them::

    {"apiVersion": "v1", "items": [{"kind": "Service", "metadata": {"name": "web"}}], "kind": "List"}

msgspec decodes the bytes straight into the fields that are needed (`kube_structs`); what it refuses is read again item
by item, and at last field by field, so that one bad value never costs more than itself. `line` is where the object
starts: the undecoded items are views into the file, so their addresses tell their positions.

>>> text = b'{"kind": "ServiceList", "items": [\\n{"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}]}'
>>> print(*parse(text, "services.json").tables["service_ports"].loc[0, ["service", "port", "line"]])
web 80 2
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from itertools import pairwise
from typing import Any, Generic, TypeVar

import msgspec

from analyzer.parsers import kube_structs as k
from analyzer.parsers.base import Form, Head, Parsed, Reason
from analyzer.parsers.byte_account import ByteAccount, Fate
from analyzer.parsers.collector import no_collection
from analyzer.parsers.json_pieces import REFUSED, SPACE, Pieces, without_lone_surrogates
from analyzer.parsers.kube_lenient import clean, project
from analyzer.parsers.kube_rows import OBJECT_TABLES, ObjectRows, finish

T = TypeVar("T")
_LIST = re.compile(rb"\{\s*\"apiVersion\":\s*\"v1\",\s*\"items\":\s*\[\s*")
_FIRST_KIND = re.compile(rb"\"kind\":\s*\"(\w+)\"")
_UP_TO_VERSION = re.compile(rb"\{\s*(?:\"addressType\":\s*\"\w*\",\s*)?\"apiVersion\":\s*")


class _ListOf(msgspec.Struct, Generic[T]):
    items: list[T]


@cache
def _list_decoder(kind: type[k.Api]) -> msgspec.json.Decoder[Any]:
    """For a list of one kind; each item also keeps its `apiVersion` undecoded, a view that tells where it stands."""
    item = msgspec.defstruct(kind.__name__, [("api_version", msgspec.Raw, msgspec.Raw())], bases=(kind,), gc=False)
    return msgspec.json.Decoder(_ListOf[item])  # type: ignore[valid-type]


class Lister:
    """Reads documents of one file into rows; knows positions, not lines."""

    def __init__(self, data: bytes, file: str) -> None:
        self.data = data
        self.rows = ObjectRows(file)
        self.account = ByteAccount(data)
        self.unknown: Counter[str] = Counter()
        self.first_unknown = 0

    def document(self, start: int, end: int) -> None:
        """One document: a list, an array, or an object. Raises what msgspec raises when it is no JSON."""
        view = memoryview(self.data)[start:end]
        if self._uniform(view, start):
            return
        if self.data[start : start + 1] == b"[":
            self._items(view, start, msgspec.json.decode(view, type=list[msgspec.Raw]), None)
            return
        try:
            top = msgspec.json.decode(view, type=k.Raw)
        except msgspec.ValidationError:
            top = k.Raw(kind=_kind(view))
        if top.items is not None:
            self._items(view, start, top.items, k.listed_kind(top.kind))
            return
        versions = top.server_version is not None or top.client_version is not None or top.git_version is not None
        self.item(view, start, end, "Version" if versions and top.kind is None else top.kind)

    def _items(self, view: memoryview, start: int, raws: list[msgspec.Raw], default: str | None) -> None:
        for raw, (first, last) in zip(raws, _spans(view, start, raws), strict=True):
            self.item(raw, first, last, _kind(raw) or default)

    def _uniform(self, view: memoryview, start: int) -> bool:
        """Read a list as `kubectl get` prints it, in one pass; false (and nothing done) when it is another document."""
        match = _LIST.match(self.data, start)
        kind = match and _FIRST_KIND.search(self.data, match.end(), match.end() + 4000)
        name = kind[1].decode() if kind else ""
        if not match or name not in k.KINDS or start + len(view) < match.end():
            return False
        try:
            objects = _list_decoder(k.KINDS[name]).decode(view).items
        except REFUSED:
            return False
        spans = _item_spans(self.data, start, view, [obj.api_version for obj in objects])
        if spans is None or any(obj.kind != name for obj in objects):
            return False
        add, span = self.rows.adder(name), self.account.span
        for obj, (first, last) in zip(objects, spans, strict=True):
            add(obj, span(first, last, "row"))
        return True

    def item(self, raw: Any, first: int, last: int, kind: str | None) -> None:
        """One object, leniently; an unknown kind is counted."""
        if kind not in k.KINDS:
            line = self.account.span(first, last, "note")
            if kind is None or not kind.endswith("List"):
                self.unknown[kind or "object without kind"] += 1
                self.first_unknown = self.first_unknown or line
            return
        lost: list[str] = []
        obj = _object(raw, k.KINDS[kind], lost)
        fate: Fate = "note" if obj is None else "row"
        line = self.account.span(first, last, fate)
        if obj is not None:
            self.rows.adder(kind)(obj, line)
        for what in lost:
            self.rows.note(line, "unparsed", f"{kind}: {what}")

    def note(self, line: int, reason: Reason, text: str, detail: str = "", *, once: bool = False) -> None:
        self.rows.note(line, reason, text, detail, once=once)

    def parsed(self) -> Parsed:
        if self.unknown:
            kinds = ", ".join(f"{number} {kind[:60]}" for kind, number in sorted(self.unknown.items())[:20])
            self.rows.note(self.first_unknown, "extra", kinds, "kinds the analysis does not use")
        return finish(self.rows, self.account.count())


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _kind(raw: Any) -> str | None:
    try:
        return _decoder(k.Kind).decode(raw).kind  # type: ignore[no-any-return]
    except REFUSED:
        return None


def _place(buffer: Any) -> int:
    """The memory address of a buffer."""
    import numpy as np

    return int(np.frombuffer(buffer, np.uint8).__array_interface__["data"][0])


def _spans(view: memoryview, start: int, raws: list[msgspec.Raw]) -> list[tuple[int, int]]:
    """Where each undecoded item lies in the file: the items are views into it, so addresses give offsets."""
    base = _place(view) - start
    return [(first, first + len(memoryview(raw))) for raw in raws for first in (_place(raw) - base,)]


def _item_spans(data: bytes, start: int, view: memoryview, versions: list[Any]) -> list[tuple[int, int]] | None:
    """The same from the items' `apiVersion` values, if each is the first key (or follows `addressType`); else null."""
    base = _place(view) - start
    firsts: list[int] = []
    for version in versions:
        if not memoryview(version):
            return None
        value = _place(version) - base
        brace = data.rfind(b"{", firsts[-1] + 1 if firsts else start + 1, value)
        if brace < 0 or not _UP_TO_VERSION.fullmatch(data, brace, value):
            return None
        firsts.append(brace)
    if not firsts:
        return []
    try:
        tail = json.JSONDecoder().raw_decode(data[firsts[-1] : start + len(view)].decode("latin-1"))[1]
    except (ValueError, RecursionError):
        return None
    lasts = [data.rfind(b"}", first, after) + 1 for first, after in pairwise(firsts)]
    return list(zip(firsts, [*lasts, firsts[-1] + tail], strict=True))


def _object(raw: Any, kind: type[k.Api], lost: list[str]) -> Any:
    """The object as `kind`: strictly, then with numbers as text allowed, then without the fields that do not fit."""
    try:
        return _decoder(kind).decode(raw)
    except REFUSED:
        pass
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except REFUSED:
        pass
    try:
        value = clean(json.loads(bytes(raw).decode("utf-8", "replace")))
    except (ValueError, RecursionError) as error:
        lost.append(str(error)[:150])
        return None
    return project(value, kind, "", lost)


def parse(data: bytes, file: str) -> Parsed:
    """Read all objects of a file."""
    with no_collection():
        return _parse(data, file)


def _parse(data: bytes, file: str) -> Parsed:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", "replace").encode()
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    while start < len(data) and data[start] in SPACE:
        start += 1
    end = len(data)
    while end > start and data[end - 1] in SPACE:  # `rstrip` would copy the file
        end -= 1
    lister = Lister(data, file)
    try:
        lister.document(start, end)
    except REFUSED:
        lister = Lister(without_lone_surrogates(data), file)
        Pieces(lister).read()
    return lister.parsed()


_KIND = re.compile(r"\"kind\"\s*:\s*\"(\w+)\"")
_API = re.compile(r"\"apiVersion\"\s*:\s*\"")
_VERSION = re.compile(r"\"(?:serverVersion|clientVersion|gitVersion)\"\s*:")


def sniff(head: Head) -> int:
    """JSON with kinds or with a version document."""
    first = head.text.lstrip()
    if not first.startswith(("{", "[")) and not re.search(r"^\{", head.text, re.MULTILINE):
        return 0
    known = {kind.removesuffix("List") for kind in _KIND.findall(head.text)}
    if known & (k.KINDS.keys() | {""}) and (_API.search(head.text) or first.startswith("{")):
        return 95
    if _VERSION.search(head.text):
        return 90
    return 60 if _API.search(head.text) or known else 0


FORMS = (
    Form(
        "kubectl-json",
        "objects",
        OBJECT_TABLES,
        (
            r"(?:services?|endpoints?|endpointslices?|nodes?|pods?|configmaps?|daemonsets?|events?|version)[\w.-]*\.json$",
        ),
        sniff,
        parse,
    ),
)
