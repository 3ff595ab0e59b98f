"""The scan of what was written: does anything of the original survive in it?

It reads the output as anybody would (archives opened again), with patterns of its own that know nothing of how the
redaction cuts text, and it looks further: into base64, at words inside words, at hexadecimal. What it accepts is only
what the mapping produced.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analyzer.bundle import open_bundle
from analyzer.redact.book import GLUED, NUMBERED, Book
from analyzer.redact.scanner import Scanner, plain
from analyzer.redact.text import Binary, Chunks, unpacked
from analyzer.redact.vocabulary import vocabulary

_WORDS = re.compile(r"[A-Za-z0-9]+")
_QUADS = re.compile(r"[0-9]{1,3}(?:([._-])[0-9]{1,3})(?:\1[0-9]{1,3}){2,}")
_SIXES = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}")
_MACS = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}")
_HEX8 = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?![0-9A-Za-z])")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}")
_UUIDS = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@dataclass(frozen=True, slots=True)
class Survivor:
    """An original value that is still there."""

    file: str
    kind: str
    value: str


class Verifier:
    """Knows what must not be there: the originals of one redaction, minus what is an image of something else."""

    def __init__(self, scanner: Scanner) -> None:
        book: Book = scanner.book
        images = set(book.replaced.values()) | {
            word for image in book.replaced.values() for word in _WORDS.findall(image)
        }
        self._images = images
        self._words = {word for word in book.words if word not in images}
        self._ids = {one for one in book.replaced if one not in images and one.lower() not in book.words}
        self._phrases = _by_first(book.phrases)
        self._starts: dict[str, list[str]] = {}
        for word in self._words:
            if len(word) >= GLUED:
                self._starts.setdefault(word[:GLUED], []).append(word)
        self._scanner = scanner
        self._macs = {one.lower().replace("-", ":") for one in scanner.seen if _MACS.fullmatch(one)}
        self._mac_images = {image.lower().replace("-", ":") for image in scanner.seen.values()}
        self._hexed = {one[::order].hex() for one in scanner.hexed - scanner.images for order in (1, -1)}
        self._hexed -= {one[::order].hex() for one in scanner.images if len(one) == 4 for order in (1, -1)}
        self._judged: dict[str, str] = {}

    def text(self, text: str) -> Iterator[tuple[str, str]]:
        """Kind and value of what survives in a text."""
        text = "\n".join(set(plain(text).split()))
        yield from self._flat(text)
        for encoded in set(_BASE64.findall(text)):
            if decoded := unpacked(encoded):
                yield from (("base64", value) for _, value in self._flat(decoded))

    def _flat(self, text: str) -> Iterator[tuple[str, str]]:
        for word in set(_WORDS.findall(text)):
            if kind := self._word(word):
                yield kind, word
        if self._phrases:
            lower = text.lower()
            for first, phrases in self._phrases.items():
                for phrase in phrases if first in lower else ():
                    if phrase in lower and re.search(rf"(?<![a-z0-9]){re.escape(phrase)}(?![a-z0-9])", lower):
                        yield "name", phrase
        yield from (("id", one) for one in set(_UUIDS.findall(text)) if one in self._ids)
        for match in _QUADS.finditer(text):
            numbers = match[0].split(match[1])
            before = text[max(0, match.start() - 2) : match.start()]
            if len(numbers) > 4 and before[-1:].isalpha():
                numbers = numbers[1:]  # `worker1.10.0.2.77`
            if text.startswith(".in-addr.arpa", match.end()):
                numbers.reverse()
            if not self._is_fine(numbers, before):
                yield "address", match[0]
        for six in {one for one in _SIXES.findall(text) if "::" in one or one.count(":") == 7}:
            try:
                packed = ipaddress.ip_address(six).packed
            except ValueError:
                continue
            if packed not in self._scanner.images and not self._before_port(six):
                yield "address", six
        for mac in {one.lower().replace("-", ":") for one in _MACS.findall(text)}:
            if mac in self._macs and mac not in self._mac_images:
                yield "mac", mac
        for word in {one.lower() for one in _HEX8.findall(text)}:
            if word in self._hexed and word not in self._images:
                yield "hexadecimal address", word

    def _word(self, word: str) -> str:
        lower = word.lower()
        core = lower.strip("0123456789")
        if lower in vocabulary() or core in vocabulary() or word in self._images:
            return ""
        if lower in self._words or (len(core) >= NUMBERED and core in self._words):
            return "name"
        if word in self._ids:
            return "id"
        for at in range(len(lower) - GLUED + 1):
            for one in self._starts.get(lower[at : at + GLUED], ()):
                if lower.startswith(one, at):
                    return "name"
        return ""

    def _before_port(self, six: str) -> bool:
        """netstat writes a port behind an IPv6 address without brackets."""
        head, _, port = six.rpartition(":")
        try:
            return port.isdigit() and ipaddress.ip_address(head).packed in self._scanner.images
        except ValueError:
            return False

    def _is_fine(self, numbers: list[str], before: str) -> bool:
        """An address is fine when the mapping produced it. Longer rows of numbers, versions and masks are none."""
        if len(numbers) != 4 or any(int(one) > 255 or (len(one) > 1 and one[0] == "0") for one in numbers):
            return True
        if re.search(r"(?:^|[^A-Za-z0-9])[vV]$", before):
            return True
        return bytes(map(int, numbers)) in self._scanner.images


def _by_first(phrases: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for phrase in phrases:
        found.setdefault(_WORDS.findall(phrase)[0], []).append(phrase)
    return found


def verify(where: str | os.PathLike[str], scanner: Scanner, most: int = 20) -> list[Survivor]:
    """Read the written bundle again, names and contents; gives the first survivors."""
    verifier = Verifier(scanner)
    found: list[Survivor] = []
    with open_bundle(where) as bundle:
        for member in bundle.members:
            found += (Survivor(member.path, f"{kind} in the path", value) for kind, value in verifier.text(member.path))
            try:
                for chunk in Chunks(member.read()):
                    found += (Survivor(member.path, kind, value) for kind, value in verifier.text(chunk))
            except Binary:
                found.append(Survivor(member.path, "binary content", ""))
            if len(found) >= most:
                return found[:most]
    return found
