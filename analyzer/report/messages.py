"""The words of the report: messages by id, from the catalogues in `locale/<language>/LC_MESSAGES/*.po`.

A message's `msgid` is its id (``report.summary``), its `msgstr` the template with named values in braces. All `.po`
files of a language together are its catalogue, so that several rooms keep their own file; they are compiled in memory,
no `.mo` file exists. Another language is another folder.

Values come from a bundle and are never read as templates: they are put in by one pass over the template.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

from analyzer.report.plain import clean
from analyzer.report.resources import folder

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
FALLBACK = "en"
SLUGS = {
    "outcome": ("outcome.{}",),
    "outside": ("outcome.{}",),
    "mechanism": ("mechanism.{}.short",),
    "kind": ("report.arrival.{}",),
}
"""Values that are slugs of the model, and the ids of their words."""


def languages() -> tuple[str, ...]:
    """The languages that have a catalogue, sorted."""
    return tuple(sorted(path.name for path in folder("locale").iterdir() if any(_files(path.name))))


def _files(language: str) -> list[Path]:
    return sorted((folder("locale") / language / "LC_MESSAGES").glob("*.po"))


@lru_cache(maxsize=8)
def catalogue(language: str) -> Catalog:
    """All messages of a language; where two files give the same id the first file (by name) counts."""
    merged = Catalog(locale=language, fuzzy=False)
    for file in _files(language):
        with file.open("rb") as stream:
            part = read_po(stream, locale=language)
        for message in part:
            if message.id and message.id not in merged:
                merged.add(message.id, message.string, flags=message.flags)
    return merged


def duplicates(language: str) -> dict[str, list[str]]:
    """Ids that stand in more than one file, or twice in one (for a test; nothing is lost in silence)."""
    places: dict[str, list[str]] = {}
    for file in _files(language):
        for line in file.read_text("utf-8").splitlines():
            if line.startswith('msgid "') and line != 'msgid ""':
                places.setdefault(line[7:-1], []).append(file.name)
    return {id: files for id, files in places.items() if len(files) > 1}


@lru_cache(maxsize=8)
def _translations(language: str) -> gettext.GNUTranslations:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Messages:
    """The messages of one language. An id that is missing is asked of the English catalogue, then shown marked.

    >>> Messages("en").text("severity.critical")
    'Critical'
    >>> Messages("en").text("no.such.id")
    '⟦no.such.id⟧'
    """

    def __init__(self, language: str = FALLBACK) -> None:
        """Raises LookupError when there is no catalogue for `language`."""
        if not re.fullmatch(r"[A-Za-z]{2,3}(_[A-Za-z]{2,8})?", language) or not _files(language):
            raise LookupError(f"no messages for language {language!r}; there are {', '.join(languages())}")
        self.language = language
        chain = [language] if language == FALLBACK else [language, FALLBACK]
        self._chain = [(_translations(name), catalogue(name)) for name in chain]

    @property
    def tag(self) -> str:
        """The language as an HTML `lang` attribute."""
        return self.language.replace("_", "-")

    def has(self, id: str) -> bool:
        return any(id in catalog for _, catalog in self._chain)

    def placeholders(self, id: str) -> frozenset[str]:
        """The names of the values a message takes."""
        return frozenset(_PLACEHOLDER.findall(self._template(id, 2)))

    def template(self, id: str) -> str:
        """The message as it stands in the catalogue (plural form), values still in braces."""
        return self._template(id, 2)

    def text(self, id: str, /, **values: object) -> str:
        """The message with its values, plain; backticks stay. `n` chooses the plural form."""
        return _PLACEHOLDER.sub(lambda match: self._value(match[1], values), self._template(id, values.get("n")))

    def filled(self, template: str, values: Mapping[str, object], shown: Callable[[str], str] = str) -> str:
        """A part of a template with its values put in, each as `shown` writes it (for other markups)."""
        return _PLACEHOLDER.sub(lambda match: shown(self._value(match[1], values)), template)

    def first_paragraph(self, id: str, /, **values: object) -> Markup:
        """The first paragraph of what `html` gives."""
        return self._paragraphs(id, values)[0]

    def _paragraphs(self, id: str, values: Mapping[str, object]) -> list[Markup]:
        paragraphs = [part.strip() for part in _PARAGRAPH.split(self._template(id, values.get("n")))]
        return [self._inline(part, values) for part in paragraphs if part]

    def html(self, id: str, /, **values: object) -> Markup:
        """The message as HTML: everything escaped, `` `x` `` as code, paragraphs where a blank line stands."""
        rendered = self._paragraphs(id, values)
        if len(rendered) == 1:
            return rendered[0]
        return Markup("").join(Markup("<p>{}</p>").format(part) for part in rendered)

    def _value(self, name: str, values: Mapping[str, object]) -> str:
        """A value as text; a slug of the model in one of SLUGS is shown by its own words."""
        if name not in values:
            return f"⟦{name}⟧"
        value = clean(values[name])
        for pattern in SLUGS.get(name, ()):
            if self.has(pattern.format(value)):
                return self._template(pattern.format(value), 2)
        return value

    def _inline(self, template: str, values: Mapping[str, object]) -> Markup:
        """Code spans are found in the template before values are put in, so a backtick in a value is just a character."""
        result = Markup("")
        for index, part in enumerate(template.split("`")):
            filled = escape(_PLACEHOLDER.sub(lambda match: self._value(match[1], values), part))
            result += Markup("<code>{}</code>").format(filled) if index % 2 else filled
        return result

    def _template(self, id: str, n: object) -> str:
        for translations, catalog in self._chain:
            message = catalog.get(id) if id else None
            if message is None:
                continue
            plural = message.pluralizable
            found = translations.ngettext(id, id, _count(n)) if plural else translations.gettext(id)
            if found != id:
                return found
        return f"⟦{clean(id)}⟧"


def _count(n: object) -> int:
    """The number that chooses the plural form; a finding's values are text."""
    return int(n) if isinstance(n, int) or (isinstance(n, str) and re.fullmatch(r"[0-9]{1,9}", n)) else 2
