"""The words of formats, terminal and progress: every id is used somewhere, every id that is used exists."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.pofile import read_po

from analyzer.report import resources

PACKAGE = Path(resources.__file__).parents[1]
TEXT = "\n".join(path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")))
OWN = ("output.", "terminal.", "progress.")


def ids() -> set[str]:
    with (resources.folder("locale") / "en" / "LC_MESSAGES" / "outputs.po").open("rb") as stream:
        return {str(message.id) for message in read_po(stream) if message.id}


def used() -> set[str]:
    literal = {id for id in re.findall(r"""["']([a-z]+\.[a-z0-9.-]*[a-z0-9])["']""", TEXT) if id.startswith(OWN)}
    known = ids()
    slugs = set(re.findall(r"""["']([a-z][a-z0-9-]*)["']""", TEXT))
    made = re.findall(r"""["']((?:output|terminal|progress)\.(?:[a-z]+\.)?)\{""", TEXT)
    return literal | {prefix + slug for prefix in made for slug in slugs if prefix + slug in known}


def test_every_id_is_used_and_exists() -> None:
    assert sorted(ids() - used()) == []
    assert sorted(used() - ids()) == []


def test_every_stage_has_words() -> None:
    stages = set(re.findall(r"""\bstage\(["']([a-z-]+)["']""", TEXT))
    assert {f"progress.{stage}" for stage in stages} == {id for id in ids() if id.startswith("progress.")}
