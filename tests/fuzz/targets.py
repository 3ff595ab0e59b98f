"""What is fuzzed: each target takes any bytes and raises only when the program is wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from analyzer.bundle import Limits, open_bundle
from analyzer.bundle.names import clean
from analyzer.errors import BundleError
from analyzer.parsers import envelope, registry
from analyzer.parsers.base import Form, Parsed
from analyzer.tables import TABLES

from ..bundle.pack import FILES, PACKERS, tar, zipped

DATA = Path(__file__).parents[1] / "data"
CORPUS = Path(__file__).parent / "corpus"
SEED_BYTES = 6_000
_ROOM = Limits(members=500, total_bytes=32 << 20, member_bytes=8 << 20)


@dataclass(frozen=True)
class Target:
    """`run` is given the input; `seeds` yields inputs to start from."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]


def check(parsed: Parsed, form: Form, lines: int) -> None:
    """What every parser promises, whatever it is given."""
    count = parsed.lines
    assert count.total == count.blank + count.rows + count.furniture + count.noted, count
    assert min(count.blank, count.rows, count.furniture, count.noted) >= 0, count
    assert set(parsed.tables) <= set(form.tables)
    for name, frame in parsed.tables.items():
        wanted = {column.name: column.dtype for column in TABLES[name].columns}
        assert {column: str(frame[column].dtype) for column in frame.columns} == wanted
        assert frame["line"].between(1, max(1, lines)).all()
    for note in parsed.notes:
        # A table with text that no UTF-8 can hold could not be written.
        f"{note.text}{note.detail}".encode()
        assert len(note.text) <= 500


def _parser(form: Form, data: bytes) -> None:
    parsed = form.parse(data, "nodes/node-a/capture.txt")
    check(parsed, form, parsed.lines.total)


def _member(data: bytes) -> None:
    """The way of every member: recognised, cut at its prompts, parsed. The first line is the file's name."""
    name, _, content = data.partition(b"\n")
    results = registry.parse_member(content, name.decode("utf-8", "replace")[:100])
    lines = len(envelope.number_lines(envelope.decode(content)))
    for form, parsed in results:
        check(parsed, form, lines)
    assert sum(parsed.lines.total for _, parsed in results) <= lines


def _archive(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(prefix="ipvscope-fuzz-") as file:
        file.write(data)
        file.flush()
        try:
            with open_bundle(file.name, limits=_ROOM) as bundle:
                for member in bundle.members:
                    assert len(member.read()) == member.size
                    assert clean(member.path, _ROOM)[0] == member.path
                for refused in bundle.refused:
                    assert refused.path.isprintable()
        except BundleError:
            pass


@cache
def _captures() -> tuple[tuple[str, bytes], ...]:
    """Distinct recorded captures by name, cut to a size that is worked on fast; the shortest of a name wins."""
    found: dict[str, bytes] = {}
    for path in sorted(DATA.rglob("*")):
        if path.is_file() and path.suffix in (".txt", ".json", ".yaml", ".yml", ".log", ".nft", ""):
            data = path.read_bytes()
            if path.name not in found or len(data) < len(found[path.name]):
                found[path.name] = data
    return tuple((name, data[:SEED_BYTES]) for name, data in sorted(found.items()))


def _own(name: str) -> Iterator[bytes]:
    """Inputs that once found something."""
    for path in sorted((CORPUS / name).glob("*")):
        yield path.read_bytes()


def _parser_seeds(form: Form) -> Iterator[bytes]:
    yield from _own(form.name)
    known = [data for name, data in _captures() if form in registry.identify(data, name)]
    yield from known[:40] or [data for _, data in _captures()][:10]


def _member_seeds() -> Iterator[bytes]:
    yield from _own("member")
    for name, data in _captures():
        yield name.encode() + b"\n" + data
    for at in range(0, len(_captures()) - 3, 7):
        some = _captures()[at : at + 3]
        yield b"session.txt\n" + b"".join(
            b"[root@node-a ~]# cat %s\n%s\n" % (name.encode(), data) for name, data in some
        )


def _archive_seeds() -> Iterator[bytes]:
    yield from _own("archive")
    small = [(name, content[:200]) for name, content in FILES.items()]
    for pack in PACKERS.values():
        yield pack(tar(small))
        yield pack(tar([("inner.tar.gz", PACKERS["tar.gz"](tar(small))), *small[:1]]))
    yield zipped(small)
    yield zipped([("inner.zip", zipped(small[:2])), ("inner.tgz", PACKERS["tar.gz"](tar(small[:2])))])
    yield tar([("n" * 150 + "/x", b"x")])


@cache
def targets() -> dict[str, Target]:
    """All targets by name: `archive`, `member`, and one for each form of the registry."""
    found = [Target("archive", _archive, _archive_seeds), Target("member", _member, _member_seeds)]
    found += [Target(form.name, partial(_parser, form), partial(_parser_seeds, form)) for form in registry.forms()]
    return {target.name: target for target in found}
