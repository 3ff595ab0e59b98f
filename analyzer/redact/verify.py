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
from analyzer.redact.scanner import Scanner, flipped, plain
from analyzer.redact.text import Binary, Chunks, unpacked
from analyzer.redact.vocabulary import vocabulary

_WORDS = re.compile(r"[A-Za-z0-9]+")
_QUADS = re.compile(r"[0-9]{1,3}(?:([._-])[0-9]{1,3})(?:\1[0-9]{1,5}){2,}")
_SIXES = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\.[0-9]{1,3}){3})?")
_MACS = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0[xX])?([0-9A-Fa-f]{7,8}|[0-9A-Fa-f]{32})(?![0-9A-Za-z])")
_ARPA6 = re.compile(r"((?:[0-9A-Fa-f]\.){32})ip6\.arpa")
_DASHES = re.compile(r"(?<![0-9A-Za-z-])[0-9A-Fa-f]{1,4}(?:-[0-9A-Fa-f]{0,4}){2,7}(?![0-9A-Za-z-])")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{6,}={0,2}")
_UUIDS = re.compile(r"[0-9A-Fa-f]{8}(?:[-_][0-9A-Fa-f]{4}){3}[-_][0-9A-Fa-f]{12}")
_GROUPS = re.compile(f"{_UUIDS.pattern}|{_MACS.pattern}|{_SIXES.pattern}")


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
        self._uids = {_digits(one) for one in self._ids if _UUIDS.fullmatch(one)}
        self._phrases = _by_first(book.phrases)
        self._starts: dict[str, list[str]] = {}
        for word in self._words:
            if len(word) >= GLUED:
                self._starts.setdefault(word[:GLUED], []).append(word)
        self._scanner = scanner
        self._macs = {_digits(one) for one in scanner.seen if _MACS.fullmatch(one)}
        self._mac_images = {one.hex() for one in scanner.images if len(one) == 6}
        self._known = scanner.known - scanner.images
        self._hexed = {form.hex() for one in self._known for form in (one, flipped(one))}
        self._hexed -= {form.hex() for one in scanner.images for form in (one, flipped(one))}

    def text(self, text: str) -> Iterator[tuple[str, str]]:
        """Kind and value of what survives in a text."""
        text = "\n".join(set(plain(text).split()))
        yield from self._flat(text)
        for encoded in set(_BASE64.findall(text)):
            if decoded := unpacked(encoded):
                yield from (("base64", value) for _, value in self._flat(decoded))

    def _flat(self, text: str) -> Iterator[tuple[str, str]]:
        for word in set(_WORDS.findall(_GROUPS.sub(self._without_image, text))):
            if kind := self._word(word):
                yield kind, word
        if self._phrases:
            lower = text.lower()
            for first, phrases in self._phrases.items():
                for phrase in phrases if first in lower else ():
                    if phrase in lower and re.search(rf"(?<![a-z0-9]){re.escape(phrase)}(?![a-z0-9])", lower):
                        yield "name", phrase
        yield from (("id", one) for one in set(_UUIDS.findall(text)) if _digits(one) in self._uids)
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
        yield from (("address", six) for six in self._labels(text))
        for mac in set(_MACS.findall(text)):
            if _digits(mac) in self._macs and _digits(mac) not in self._mac_images:
                yield "mac", mac
        for word in {one.lower() for one in _HEX.findall(text)}:
            if word.rjust(8, "0") in self._hexed and word not in self._images:
                yield "hexadecimal address", word

    def _without_image(self, match: re.Match[str]) -> str:
        """A made MAC, IPv6 address or UID may hold a group like `db` that is somebody's name too."""
        found = match[0]
        if _digits(found) in self._mac_images or found in self._images:
            return " "
        try:
            return " " if ipaddress.ip_address(found).packed in self._scanner.images else found
        except ValueError:
            return found

    def _labels(self, text: str) -> Iterator[str]:
        """IPv6 addresses as labels of host names: reversed, or with dashes."""
        for nibbles in set(_ARPA6.findall(text)):
            if bytes.fromhex(nibbles.replace(".", "")[::-1]) not in self._scanner.images:
                yield nibbles
        for dashes in set(_DASHES.findall(text)):
            try:
                packed = ipaddress.ip_address(dashes.replace("-", ":")).packed
            except ValueError:
                continue
            if packed in self._known:
                yield dashes

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
        """An address is fine when the mapping produced it. Longer rows of numbers and versions are fine unless one is in them."""
        rows = [
            bytes(values) for at in range(len(numbers) - 3) if max(values := [*map(int, numbers[at : at + 4])]) < 256
        ]
        odd = len(numbers) != 4 or any(len(one) > 1 and one[0] == "0" for one in numbers)
        if odd or re.search(r"(?:^|[^A-Za-z0-9])[vV]$", before):
            return self._known.isdisjoint(rows)
        return not rows or rows[0] in self._scanner.images


def _digits(text: str) -> str:
    """The digits of a MAC or UID, however they are grouped."""
    return re.sub("[:._-]", "", text).lower()


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
