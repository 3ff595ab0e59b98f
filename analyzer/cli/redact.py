"""``redact`` and ``unredact``: a bundle without anybody's names, and a report with them again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.cli import out
from analyzer.errors import IpvscopeError, UsageError
from analyzer.report.plain import clean_block

if TYPE_CHECKING:
    from analyzer.redact import Mapping, Redacted
    from analyzer.report.messages import Messages

_SHOWN = 20


def run(
    bundle: Path,
    output: Path,
    mapping: Path | None,
    key: Path | None,
    node: str,
    lang: str,
    *,
    as_json: bool = False,
) -> int:
    """Write the redacted bundle and the mapping beside it, print what was done."""
    from analyzer.cli.words import words
    from analyzer.redact import redact, write_mapping

    messages = words(lang)
    path = mapping or beside(output)
    _outside(path, output)
    done = redact(bundle, output, start(path, key), node=node, keep=partial(write_mapping, path))
    if as_json:
        out.document(summary(done, output, path))
    else:
        out.say("\n".join(lines(done, output, path, messages)))
    return 0


def summary(done: Redacted, output: Path, mapping: Path) -> dict[str, Any]:
    """``ipvscope-redact/1``: what was done. It holds names of the customer's, as what is printed does."""
    return {
        "schema": "ipvscope-redact/1", "output": str(output), "mapping": str(mapping), "members": done.members, "bytes": done.bytes,
        "words": done.words, "addresses": done.addresses, "kept": list(done.kept), "same": list(done.same), "dropped": list(done.dropped),
    }  # fmt: skip


def beside(output: Path) -> Path:
    """Where the mapping goes by default: beside the output, never in it.

    >>> beside(Path("a/x.tar.gz")).as_posix(), beside(Path("a/x")).as_posix()
    ('a/x.mapping.json', 'a/x.mapping.json')
    """
    from analyzer.redact.output import ARCHIVES

    name = next((output.name[: -len(one)] for one in ARCHIVES if output.name.lower().endswith(one)), output.name)
    return output.parent / f"{name or 'redacted'}.mapping.json"


def _outside(mapping: Path, output: Path) -> None:
    if output.resolve() in mapping.resolve().parents or mapping.resolve() == output.resolve():
        raise UsageError("the mapping must not be in the output, or it goes out with it", where=str(mapping))


def start(path: Path, key: Path | None) -> Mapping:
    """The mapping to go on with: the one at `path`, else a new one under the key of the file, else under a new key.

    Raises:
        UsageError: the file at `path` belongs to another key.
    """
    from analyzer.redact import Mapping, key_of, new_mapping, read_mapping

    given = key_of(key) if key is not None else None
    if path.exists():
        found = read_mapping(path)
        if given is not None and given != found.key:
            raise UsageError("this mapping was made under another key", where=str(path), hint="Give another --mapping.")
        return found
    return Mapping(given) if given is not None else new_mapping()


def lines(done: Redacted, output: Path, mapping: Path, messages: Messages) -> Iterator[str]:
    """What was done, and what it does not promise."""
    from analyzer.redact.book import GLUED

    yield messages.text("redact.done", members=done.members, mb=f"{done.bytes / 1e6:.1f}", out=output)
    yield messages.text("redact.replaced", words=done.words, addresses=done.addresses)
    yield messages.text("redact.scan")
    for id, name, values in (
        ("redact.kept", "names", done.kept),
        ("redact.same", "addresses", done.same),
        ("redact.dropped", "files", done.dropped),
    ):
        if values:
            more = ("…",) if len(values) > _SHOWN else ()
            yield messages.text(id, **{name: ", ".join((*values[:_SHOWN], *more))})
    yield messages.text("redact.mapping", path=mapping)
    yield messages.text("redact.limits", glued=GLUED)


def back(report: Path, mapping: Path, output: Path | None, lang: str = "") -> int:
    """Bring the names back into a report; to standard output, or into a file."""
    from analyzer.cli.words import words
    from analyzer.redact import Unredactor, read_mapping

    words(lang)  # a language that is not there is said before work begins
    unredactor = Unredactor(read_mapping(mapping))
    try:
        text = report.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(report)) from None
    except UnicodeDecodeError:
        hint = "JSON, HTML, Markdown and text can be read; make a PDF of the HTML afterwards."
        raise UsageError("this is no text", where=str(report), hint=hint) from None
    restored = unredactor.text(text)
    if output is None:
        sys.stdout.write(restored)
        return 0
    try:
        output.write_text(restored, "utf-8")
    except OSError as error:
        raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(output)) from None
    return 0


@contextmanager
def redacted(
    bundle: Path,
    report: Path,
    mapping: Path | None,
    key: Path | None,
    node: str,
    messages: Messages,
    texts: Sequence[str],
) -> Iterator[tuple[Path, str, list[str]]]:
    """For ``analyze --redact``: a redacted copy for as long as the block runs, its node's name, and the user's texts as images.

    The mapping is written beside the folder of the report before the block begins.
    """
    import tempfile

    from analyzer.redact import Redactor, redact, write_mapping

    path = mapping or beside(report)
    _outside(path, report)
    with tempfile.TemporaryDirectory(prefix="ipvscope-") as work:
        copy = Path(work) / "bundle"
        done = redact(bundle, copy, start(path, key), node=node, keep=partial(write_mapping, path))
        redactor = Redactor(done.mapping)
        print(clean_block("\n".join(lines(done, copy, path, messages))), file=sys.stderr)
        yield copy, redactor.text(node) if node else "", [redactor.text(text) for text in texts]
