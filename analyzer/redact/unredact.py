"""The way back: a report about a redacted bundle with the customer's own names and addresses."""

from __future__ import annotations

import re

from analyzer.redact.addresses import Addresses
from analyzer.redact.mapping import Mapping

_UUID = r"[0-9A-Fa-f]{8}(?:[-_][0-9A-Fa-f]{4}){3}[-_][0-9A-Fa-f]{12}"
_MAC = r"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5,19}(?![0-9A-Fa-f:-])"
_SIX = r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\.[0-9]{1,3}){3})?"
_QUAD = (
    r"(?<![0-9])(?<![0-9][._-])[0-9]{1,3}(?P<sep>[._-])[0-9]{1,3}(?P=sep)[0-9]{1,3}(?P=sep)[0-9]{1,3}(?![._-]?[0-9])"
)
_ROW = r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,5}){4,}(?![0-9])"
# Of `node10.0.0.7` the word is `node`.
_WORD = r"[A-Za-z0-9]*[A-Za-z](?=[0-9]{1,3}(?P<near>[._-])[0-9]{1,3}(?:(?P=near)[0-9]{1,3}){2}(?!(?P=near)?[0-9]))|[A-Za-z0-9]+"
_TOKEN = re.compile(
    rf"(?P<uuid>{_UUID})|(?P<mac>{_MAC})|(?P<row>{_ROW})|(?:(?P<six>{_SIX})|(?P<quad>{_QUAD}))(?P<len>/[0-9]{{1,3}}(?![0-9]))?|"
    rf"(?P<word>{_WORD})"
)


class Unredactor:
    """Puts the originals of one mapping back into any text (JSON, HTML, Markdown, plain)."""

    def __init__(self, mapping: Mapping) -> None:
        self._addresses = Addresses(mapping.key)
        self._back = {image: original for original, image in mapping.replaced.items()}
        self._back_address = {image: original for original, image in mapping.addresses.items()}

    def text(self, text: str) -> str:
        """The text with every image replaced by what it stands for; the rest is left alone."""
        return _TOKEN.sub(self._token, text)

    def _token(self, match: re.Match[str]) -> str:
        if word := match["word"] or match["uuid"]:
            return self._back.get(word, word)
        if mac := match["mac"]:
            return self._back_address.get(mac, mac)
        if row := match["row"]:
            return self._row(row)
        return self._address(match)

    def _row(self, row: str) -> str:
        """An address with a port behind it, or the end of an object id."""
        numbers = row.split(".")
        at = 0
        while at + 4 <= len(numbers):
            if original := self._back_address.get(".".join(numbers[at : at + 4])):
                numbers[at : at + 4] = original.split(".")
                at += 3
            at += 1
        return ".".join(numbers)

    def _address(self, match: re.Match[str]) -> str:
        text, length = match["six"] or match["quad"], match["len"] or ""
        separator = match["sep"] or "."
        dotted = text.replace(separator, ".") if match["quad"] else text
        if match.string.startswith(".in-addr.arpa", match.end()):
            there = ".".join(reversed(dotted.split(".")))
            return ".".join(reversed(self._back_address.get(there, there).split(".")))
        if length and (original := self._back_address.get(dotted + length)):
            return original
        if original := self._back_address.get(dotted):
            return original.replace(".", separator) + length
        if length:
            try:
                return self._addresses.back(dotted, int(length[1:])) + length
            except ValueError:
                pass
        if match["six"]:
            return self._port_behind(text) + length
        return text + length

    def _port_behind(self, text: str) -> str:
        """An IPv6 address without brackets before a port; anything else is no address of ours."""
        head, _, tail = text.rpartition(":")
        if original := self._back_address.get(head):
            return f"{original}:{tail}"
        return re.sub("[A-Za-z0-9]+", lambda word: self._back.get(word[0], word[0]), text)
