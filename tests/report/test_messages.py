"""The catalogue: ids, values, languages. Every id that is used exists, every id that exists is used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape

from analyzer.report import resources
from analyzer.report.messages import Messages, catalogue, duplicates, languages
from analyzer.snapshot.model import REGIME_KEYS

OWN = ("report.", "page.", "severity.", "outcome.", "confidence.", "how.", "regime.", "state.", "table.")
SOURCES = [*Path(resources.__file__).parent.glob("*.py"), *resources.folder("templates").glob("*.html")]
TEXT = "\n".join(path.read_text("utf-8") for path in SOURCES)
LITERAL = {
    id
    for id in re.findall(r'"((?:[a-z-]+)\.[a-z0-9_.-]*[a-z0-9])"', TEXT)
    if id.startswith(OWN) and not id.endswith((".html", ".css", ".js"))
}
DYNAMIC = {prefix for prefix in re.findall(r'"([a-z-]+\.(?:[a-z-]+\.)*)(?:\{|" ~)', TEXT) if prefix.startswith(OWN)}


def ids(language: str) -> set[str]:
    return {one_id(message.id) for message in catalogue(language) if message.id}


def own(language: str) -> set[str]:
    return {id for id in ids(language) if id.startswith(OWN)}


def test_every_id_in_code_and_templates_exists() -> None:
    assert LITERAL
    assert sorted(LITERAL - ids("en")) == []


def test_every_own_id_is_used() -> None:
    assert sorted(id for id in own("en") - LITERAL if not id.startswith(tuple(DYNAMIC))) == []


def test_every_value_of_the_model_has_its_word(messages: Messages) -> None:
    wanted = [
        *(f"severity.{x}" for x in ("critical", "warning", "notice", "info")),
        *(f"outcome.{x}" for x in ("ok", "refused", "timeout", "unreachable", "wrong-server", "mixed", "unknown")),
        *(f"confidence.{x}{y}" for x in ("high", "medium", "low") for y in ("", ".meaning")),
        *(f"how.{x}" for x in ("state", "object", "version", "assumed")),
        *(f"regime.{x}{y}" for x in REGIME_KEYS for y in ("", ".meaning")),
        *(f"state.{x}" for x in ("rows", "empty", "failed", "ignored", "refused")),
        *(f"report.target.{x}" for x in ("cluster-ip", "node-port", "load-balancer", "external-ip")),
        *(f"report.place.{x}" for x in ("node", "pod", "external", "lb", "network")),
    ]
    assert [id for id in wanted if not messages.has(id)] == []


@pytest.mark.parametrize("language", languages())
def test_no_id_stands_twice(language: str) -> None:
    assert duplicates(language) == {}


def catalogues() -> list[str]:
    """The files of the English catalogue; every language has one of each name."""
    return sorted(path.name for path in (resources.folder("locale") / "en" / "LC_MESSAGES").glob("*.po"))


def templates(language: str, file: str) -> dict[str, tuple[str, ...]]:
    """Per id of one file its templates, one for each plural form."""
    with (resources.folder("locale") / language / "LC_MESSAGES" / file).open("rb") as stream:
        messages = [message for message in read_po(stream, locale=language) if message.id]
    return {one_id(message.id): tuple(map(str, every(message.string))) for message in messages}


def every(forms: object) -> Sequence[object]:
    """Plural forms as they are, a single string as the only form."""
    return forms if isinstance(forms, tuple | list) else (forms,)


def one_id(id: object) -> str:
    return str(every(id)[0])


def shape(template: str) -> tuple[list[str], list[str], int]:
    """What a translation keeps: the named values, the code spans and the number of paragraphs."""
    values = sorted(set(re.findall(r"\{([^{}]*)\}", template)))
    code = sorted(set(re.findall(r"`([^`]*)`", template)))
    return values, code, len(re.split(r"\n[ \t]*\n", template))


@pytest.mark.parametrize("file", catalogues())
@pytest.mark.parametrize("language", languages())
def test_every_file_has_the_same_ids_in_every_language(language: str, file: str) -> None:
    assert sorted(templates(language, file).keys() ^ templates("en", file).keys()) == []


@pytest.mark.parametrize("language", languages())
def test_no_language_has_a_file_of_its_own(language: str) -> None:
    there = resources.folder("locale") / language / "LC_MESSAGES"
    assert sorted(path.name for path in there.glob("*.po")) == catalogues()


@pytest.mark.parametrize("file", catalogues())
@pytest.mark.parametrize("language", languages())
def test_translations_keep_values_code_and_paragraphs(language: str, file: str) -> None:
    """The last plural form is the one for many; the form for one may leave a number out."""
    there, here = templates(language, file), templates("en", file)
    assert [id for id in here if shape(there[id][-1]) != shape(here[id][-1])] == []


@pytest.mark.parametrize("file", catalogues())
@pytest.mark.parametrize("language", languages())
def test_every_form_has_words(language: str, file: str) -> None:
    """An empty form would silently be shown in English."""
    plurals = catalogue(language).num_plurals
    found = templates(language, file)
    assert [id for id, forms in found.items() if not all(form.strip() for form in forms)] == []
    assert [id for id, forms in found.items() if len(forms) not in (1, plurals)] == []
    assert [id for id, forms in found.items() for form in forms if form.count("`") % 2] == []


def test_chinese_uses_its_own_punctuation() -> None:
    """Between Chinese characters no narrow comma, colon or bracket; dates, addresses and code keep theirs."""
    han = r"[\u4e00-\u9fff]"
    wrong = re.compile(rf"{han}[,:;()!?]|[,;()]{han}|{han}\.(\s|$)")
    found = {id: form for file in catalogues() for id, forms in templates("zh_CN", file).items() for form in forms}
    assert {id: form for id, form in found.items() if wrong.search(form)} == {}


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_values_are_never_templates(source: str, target: str) -> None:
    messages = Messages("en")
    values = {
        "source": source,
        "target": target + "{source}{x}%s`y`",
        "outcome": "{target}",
        "confidence": "",
        "layer": "",
    }
    text = messages.text("report.verdict.line", **values)
    assert "{source}{x}%s`y`" in text
    assert ": {target} (" in text
    markup = messages.html("report.verdict.line", **values)
    assert str(markup) == str(escape(text))


def test_html_escapes_and_marks_code(messages: Messages) -> None:
    assert messages.html("report.text.evidence", place="<b>`x`</b>") == "see &lt;b&gt;`x`&lt;/b&gt;"
    assert "<code>net.ipv4.vs.conntrack</code>" in messages.html("regime.vs_conntrack.meaning")


def test_missing_ids_and_values_are_visible(messages: Messages) -> None:
    assert messages.text("report.no-such") == "⟦report.no-such⟧"
    assert messages.html("report.<b>") == "⟦report.&lt;b&gt;⟧"
    assert messages.text("report.text.evidence") == "see ⟦place⟧"
    assert not messages.has("report.no-such")


def test_plural_follows_the_number(messages: Messages) -> None:
    assert messages.text("report.environment.group", n=1) == "1 node"
    assert messages.text("report.environment.group", n="1") == "1 node"
    assert messages.text("report.environment.group", n=0) == "0 nodes"


@pytest.mark.parametrize("language", ["xx", "../en", "", "en/../en"])
def test_unknown_languages_are_refused(language: str) -> None:
    with pytest.raises(LookupError):
        Messages(language)
