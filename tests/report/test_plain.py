"""Cleaning, measuring, shortening and wrapping hold for any text."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.report.plain import clean, clean_block, shorten, width, wrap

ANY = st.text(st.characters(), max_size=80)


@given(ANY)
@settings(max_examples=200, deadline=None)
def test_clean_text_is_one_line_without_controls(text: str) -> None:
    result = clean(text)
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in result)
    assert not set(result) & set("\u202e\u2066\u200f\u2028")
    result.encode("utf-8")
    assert clean_block(text).count("\n") == text.replace("\r\n", "\n").count("\n")


@given(ANY, st.floats(30, 300))
@settings(max_examples=200, deadline=None)
def test_shortened_text_fits_and_keeps_its_ends(text: str, room: float) -> None:
    text = clean(text)
    result = shorten(text, room, 10)
    assert width(result, 10) <= room
    if result != text:
        head, _, tail = result.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail)


@given(ANY, st.floats(30, 300))
@settings(max_examples=200, deadline=None)
def test_wrapped_lines_fit_and_lose_nothing_but_blanks(text: str, room: float) -> None:
    text = clean(text)
    lines = wrap(text, room, 10, lines=1000)
    assert all(width(line, 10) <= room for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_wrap_says_that_lines_are_left_out() -> None:
    lines = wrap("word " * 100, 60, 10, lines=3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
