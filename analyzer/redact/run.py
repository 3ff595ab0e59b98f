"""A bundle in, the same bundle with nobody's names out, and the mapping that stays behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from analyzer.bundle import Bundle, Member, open_bundle
from analyzer.errors import IpvscopeError, UsageError
from analyzer.redact.addresses import Addresses
from analyzer.redact.book import Book
from analyzer.redact.contexts import replace as replaced
from analyzer.redact.learn import learn, learn_hashes
from analyzer.redact.mapping import Mapping
from analyzer.redact.output import Output
from analyzer.redact.scanner import Scanner, plain
from analyzer.redact.text import Chunks, is_binary
from analyzer.redact.verify import Survivor, verify
from analyzer.snapshot import load

_TABLES_FROM = 64 << 20
"""Larger members are not parsed into tables to learn names: they are connection tables, or their text says the same."""


class Leak(IpvscopeError):
    """The scan of the output found an original value; nothing was left behind."""

    exit_code = 3

    @classmethod
    def of(cls, where: str, survivors: list[Survivor]) -> Leak:
        """With the places; made apart, because errors travel from the child process by their first argument."""
        shown = "\n  ".join(f"{one.file}: {one.kind} {one.value}".rstrip() for one in survivors)
        return cls("original values survived, so the output was deleted", where=where, hint=shown)


@dataclass(frozen=True, slots=True)
class Redacted:
    """What was done. `kept` are names that stay because formats have the same word; `dropped` members are not in the output."""

    members: int
    bytes: int
    words: int
    addresses: int
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    same: tuple[str, ...]
    mapping: Mapping


class Redactor:
    """All that one mapping knows, ready for text."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.book = Book(mapping.key)
        self.book.load(mapping.words, mapping.phrases)
        self.scanner = Scanner(Addresses(mapping.key), self.book)

    def text(self, text: str) -> str:
        """The image of any text, for what a user types beside the bundle."""
        return replaced(self.scanner, plain(text))

    def learn(self, bundle: Bundle, node: str) -> None:
        """Read the names of a bundle."""
        small = tuple(member for member in bundle.members if member.size <= _TABLES_FROM)
        snapshot = load(replace(bundle, members=small, closer=None), node=node)
        if node:
            self.book.learn(node)
        for member in bundle.members:
            if member.node:
                self.book.learn(member.node)
        self.scanner.known = learn(bundle, snapshot, self.book)
        self.scanner.forget()
        learn_hashes(snapshot, self.scanner)
        self.scanner.forget()

    def pieces(self, member: Member) -> Iterator[str]:
        """The image of a member, piece by piece."""
        for chunk in Chunks(member.read()):
            yield replaced(self.scanner, plain(chunk))

    def path(self, path: str) -> str:
        """The image of a member's path, folder by folder."""
        return "/".join(self.scanner.text(plain(part)) for part in path.split("/"))

    def full_mapping(self) -> Mapping:
        """With everything replaced so far, also by earlier runs."""
        return Mapping(
            self.mapping.key,
            sorted({*self.mapping.words, *self.book.words}),
            sorted({*self.mapping.phrases, *self.book.phrases}),
            {**self.mapping.replaced, **self.book.replaced},
            {**self.mapping.addresses, **self.scanner.seen},
        )


def redact(
    source: str | os.PathLike[str],
    out: Path,
    mapping: Mapping,
    *,
    node: str = "",
    keep: Callable[[Mapping], None] | None = None,
) -> Redacted:
    """Write the redacted bundle to `out` (a folder, or an archive by its suffix), after the scan found nothing.

    `keep` is given the mapping before `out` is made: a bundle whose mapping could not be kept would never get its names back.

    Raises:
        BundleError: the bundle cannot be read.
        UsageError: `out` is there already, or in the bundle.
        Leak: something survived; `out` was not made.
    """
    inside = os.path.realpath(out).startswith(os.path.realpath(source) + os.sep)
    if inside:
        raise UsageError("the output would be inside the bundle", where=str(out), hint="Give another -o.")
    with open_bundle(source, node=node) as bundle, Output(out) as output:
        redactor = Redactor(mapping)
        redactor.learn(bundle, node)
        dropped = [f"{one.path} ({one.why})" for one in bundle.refused]
        members = 0
        for member in bundle.members:
            if is_binary(member.read()):
                dropped.append(f"{member.path} (binary)")
                continue
            output.add(redactor.path(member.path), redactor.pieces(member))
            members += 1
        packed = output.pack()
        survivors = verify(packed, redactor.scanner)
        if survivors:
            raise Leak.of(str(out), survivors)
        found = redactor.full_mapping()
        if keep is not None:
            keep(found)
        output.finish(packed)
        same = set(found.addresses) & set(found.addresses.values())
        return Redacted(
            members, output.bytes, len(redactor.book.replaced), len(redactor.scanner.seen),
            tuple(sorted(redactor.book.kept)), tuple(dropped), tuple(sorted(same)), found,
        )  # fmt: skip
