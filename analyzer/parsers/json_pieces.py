"""JSON documents one after another, damaged or between other text (`kubectl cluster-info dump`, pastes, logs)."""

from __future__ import annotations

import json
import re
from typing import Protocol

import msgspec

from analyzer.parsers.base import Reason
from analyzer.parsers.byte_account import ByteAccount

REFUSED = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
SPACE = b" \t\r\n"
_START = re.compile(r"^[ \t]*(?=\{)", re.MULTILINE)
_ITEMS = re.compile(r"\"items\"\s*:\s*\[\s*")
_BETWEEN = re.compile(r"[\s,]*")
_LOG_START, _LOG_END = "==== START logs", "==== END logs"


_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def without_lone_surrogates(data: bytes) -> bytes:
    """The same JSON, byte for byte as long, with escaped lone surrogates replaced: no UTF-8 text can hold them."""
    if b"\\u" not in data:
        return data
    return _SURROGATES.sub(lambda match: b"\\ufffd" if match[1] else match[0], data)


class Sink(Protocol):
    """Who reads the documents: it takes each one's place in `data` and keeps account and notes."""

    data: bytes
    account: ByteAccount

    def document(self, start: int, end: int) -> None:
        """Read one document; raises one of `REFUSED` when it is not JSON after all."""

    def note(self, line: int, reason: Reason, text: str, detail: str = "", *, once: bool = False) -> None:
        """Take a note."""


class Pieces:
    """Documents between other text: each is found by its first brace and by where it ends.

    The text is read as Latin-1, so that positions are those of the bytes; JSON's own signs are all ASCII.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.text = sink.data.decode("latin-1")
        self.decoder = json.JSONDecoder()
        # Each failed attempt may read to the end of the file; the sum of all attempts is bounded.
        self.budget = 8 * len(self.text) + 1_000_000

    def end(self, start: int) -> int | None:
        """Where the value that begins at `start` ends; null when it does not."""
        try:
            return self.decoder.raw_decode(self.text, start)[1]
        except json.JSONDecodeError as error:
            # The error itself counts the lines before it, so a failure late in a large file is dearer.
            self.budget -= error.pos - start + error.pos // 50 + 50
        except (RecursionError, ValueError):
            self.budget -= len(self.text)
        return None

    def read(self) -> None:
        position = 0
        while position < len(self.text):
            start = self._between(position)
            if start is None:
                return
            if self.budget < 0:
                self._note(start, len(self.text), "unusable", "too many broken documents")
                return
            position = self._one(start)

    def _between(self, position: int) -> int | None:
        """Note the text up to the next document, container logs excepted; where that document starts."""
        if self.text.startswith("{", position):
            return position
        while True:
            match = _START.search(self.text, position)
            until = match.end() if match else len(self.text)
            log = self.text.find(_LOG_START, position, until)
            self._lines(position, until if log < 0 else log)
            if log < 0:
                return until if match else None
            stop = self.text.find(_LOG_END, log)
            stop = len(self.text) if stop < 0 else stop
            self.sink.note(self.sink.account.line(log), "extra", "container logs", "skipped", once=True)
            newline = self.text.find("\n", stop)
            position = len(self.text) if newline < 0 else newline + 1

    def _lines(self, start: int, end: int) -> None:
        """Every non-blank line between two documents is a note."""
        for number, match in enumerate(re.finditer(r"[^\n]+", self.text[start:end])):
            if match[0].strip(" \t\r,") and not (start == 0 and match.start() == 0 and match[0].strip() == "ï»¿"):
                if number >= 1000:
                    self._note(start + match.start(), end, "unparsed", "text between objects")
                    return
                self._note(start + match.start(), start + match.end(), "unparsed", "text between objects")

    def _note(self, start: int, end: int, reason: Reason, detail: str) -> None:
        text = self.sink.data[start : min(end, start + 400)].split(b"\n")[0].decode("utf-8", "replace").strip()
        stripped = len(self.sink.data[start:end].rstrip(SPACE))
        self.sink.note(self.sink.account.span(start, start + stripped, "note"), reason, text, detail)

    def _one(self, start: int) -> int:
        """Read the document that begins at `start`; where to go on."""
        end = self.end(start)
        if end is not None:
            try:
                self.sink.document(start, end)
            except REFUSED as error:
                self._note(start, end, "unparsed", str(error)[:150])
            return end
        follow = self.text.find("\n{", start + 1)
        stop = len(self.text) if follow < 0 else follow + 1
        items = _ITEMS.search(self.text, start, stop)
        if items:
            return self._salvage(items.end(), stop)
        self._note(start, stop, "cut" if follow < 0 else "unparsed", "a document that does not end")
        return stop

    def _salvage(self, position: int, stop: int) -> int:
        """The complete items of a list that is damaged or cut."""
        indent = self.text[self.text.rfind("\n", 0, position) + 1 : position]
        mark = f"\n{indent}{{" if indent and not indent.strip() else None
        while position < stop and self.budget >= 0:
            end = self.end(position) if self.text.startswith("{", position) else None
            if end is None:
                after = self.text.find(mark, position, stop) if mark else -1
                following = stop if after < 0 else after + len(indent) + 1
                closing = self.text[position:following].strip(" \t\r\n,]}") == ""
                if not closing:
                    self._note(position, following, "unparsed" if after >= 0 else "cut", "an item that does not end")
                elif following == stop:
                    self.sink.note(self.sink.account.line(position), "cut", "a list that does not end")
                position = following
                continue
            try:
                self.sink.document(position, end)
            except REFUSED as error:
                self._note(position, end, "unparsed", str(error)[:150])
            position = _BETWEEN.match(self.text, end).end()  # type: ignore[union-attr]
            if self.text.startswith("]", position):
                # The list itself is whole; only what follows it is not.
                self.sink.note(self.sink.account.line(position), "cut", "a list whose end is damaged")
                return stop
        return stop
