"""The surest form is found without asking those that cannot be surer."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.parsers import envelope, registry
from analyzer.parsers.base import Form, Head

DATA = Path(__file__).parents[1] / "data"
CAPTURES = sorted(
    {(path.name, path.stat().st_size): path for path in (DATA / "lab").rglob("*") if path.is_file()}.values()
)


def surest(head: Head) -> Form | None:
    """Asking every form."""
    scored = [(known.sniff(head), known) for known in registry.forms()]
    for score, known in scored:
        assert score <= known.most, known.name
    best = max(score for score, _ in scored)
    equal = [known for score, known in scored if score == best]
    named = registry._named(head.name, equal)
    return (named[0][1] if named else equal[0]) if best else None


def test_real_captures() -> None:
    assert len(CAPTURES) > 30
    for path in CAPTURES:
        head = envelope.head(path.read_bytes()[: envelope.HEAD_BYTES], path.name)
        if (found := surest(head)) is not None:
            assert registry._choose(head) is found, path


LINES = sorted(
    {line for path in CAPTURES[::5] for line in path.read_bytes()[:6_000].split(b"\n")[:12] if len(line) < 300}
)


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.sampled_from(LINES), min_size=1, max_size=8),
    name=st.sampled_from(["a.txt", "ip-addr.txt", "hostname"]),
)
def test_mixed_lines(lines: list[bytes], name: str) -> None:
    head = envelope.head(b"\n".join(lines), name)
    found = surest(head)
    assert found is None or registry._choose(head) is found
