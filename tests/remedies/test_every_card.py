"""What holds for every card on every sample: it does not raise, its words exist, its documents parse, its shell is quoted."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.forwarding.build import build_world
from analyzer.remedies import Remedy, remedies_for
from analyzer.remedies.registry import builders
from analyzer.remedies.words import command, kubectl, plain, yaml_documents
from analyzer.report.messages import Messages, duplicates
from analyzer.snapshot.model import Snapshot
from analyzer.tables import TABLES

from .make import N1, N3, PREFIX, SAMPLES, VIP, finding, fixes, of_sample, sample, services

CARDS = tuple(builders())
SITUATIONS = ("", *(f"S{number}" for number in range(1, 24)))
SUBJECTS: tuple[dict[str, Any], ...] = (
    {},
    {"targets": (f"{VIP}:443/tcp",), "services": ("default/nginx",), "nodes": (N3,)},
    {"targets": (f"{VIP}:80/tcp", "192.168.1.201:80/tcp"), "vantages": (f"node:{N1}", "pod:default/none")},
    {"targets": ("10.0.4.141:30745/tcp", "10.0.2.78:80/udp", "not a target"), "nodes": ("no-such-node",)},
    {"targets": (VIP, "[2001:db8::1]:80/tcp"), "services": ("no/such", "default/kubernetes")},
)
MESSAGES = Messages("en")
LATER = {"F19", "F21", "F24", "F29", "F30"}


@cache
def parses(kind: str, body: str) -> None:
    if kind == "yaml":
        assert all(isinstance(one, dict) for one in yaml.safe_load_all(body))
    elif kind == "command":
        for line in body.splitlines():
            words = shlex.split(line)
            assert words
            for word in words:
                if word.startswith("--patch="):
                    json.loads(word.removeprefix("--patch="))


def check(remedy: Remedy) -> None:
    """Every id has its words, every placeholder its value, every command and document its syntax."""
    ids = [
        f"fix.{remedy.card}.title",
        f"fix.{remedy.card}.text",
        *(f"side-effect.{slug}" for slug in remedy.side_effects),
    ]
    changes = [*remedy.changes, *remedy.verify]
    ids += [change.title for change in changes if change.title]
    for one in ids:
        assert MESSAGES.has(one), one
        assert MESSAGES.placeholders(one) <= set(remedy.values), one
    for item in remedy.prerequisites:
        assert MESSAGES.has(f"prerequisite.{item.slug}"), item.slug
        assert MESSAGES.placeholders(f"prerequisite.{item.slug}") <= set(item.values), item.slug
    assert len(set(remedy.side_effects)) == len(remedy.side_effects)
    for change in changes:
        assert change.body.strip(), (remedy.card, change.title)
        assert change.title
        parses(change.kind, change.body)
    assert all(re.fullmatch(r"https://\S+", source) for source in remedy.sources)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_card_in_every_situation(name: str) -> None:
    snapshot = sample(name)
    world = build_world(snapshot)
    cases = [(situation, SUBJECTS[1]) for situation in SITUATIONS]
    cases += [(situation, subject) for situation in ("", "S2", "S11", "S17", "S21") for subject in SUBJECTS]
    for situation, subject in cases:
        for remedy in remedies_for(finding(situation, fixes=CARDS, **subject), snapshot, world):
            check(remedy)


def test_every_card_applies_somewhere() -> None:
    found: set[str] = set()
    for name, subject in itertools.product(SAMPLES, SUBJECTS):
        found.update(of_sample(name, finding("S1", fixes=CARDS, **subject)))
    # These need what no sample shows; see test_situations.py, and tests/findings/test_cases.py for those from F19 on.
    assert set(CARDS) - found == {"F2b", "F3b", "F14", "F16b", "F17", "F18", *LATER}


def test_an_empty_snapshot_is_no_trouble() -> None:
    empty = Snapshot("empty", "loose", "", {name: schema.empty() for name, schema in TABLES.items()}, (), {})
    for situation, subject in itertools.product(SITUATIONS, SUBJECTS):
        for remedy in fixes(empty, finding(situation, fixes=CARDS, **subject)).values():
            check(remedy)


def test_the_catalogue_has_no_words_that_nothing_uses() -> None:
    """Slugs stand as literals in the source, so that a search finds both ends."""
    folder = Path(__file__).resolve().parents[2]
    source = "".join(path.read_text("utf-8") for path in sorted((folder / "analyzer/remedies").rglob("*.py")))
    catalogue = (folder / "locale/en/LC_MESSAGES/remedies.po").read_text("utf-8")
    for one in re.findall(r'^msgid "(.+)"$', catalogue, re.MULTILINE):
        kind, _, slug = one.partition(".")
        if kind == "fix":
            assert slug.rpartition(".")[0] in CARDS, one
        else:
            assert f'"{one if kind == "change" else slug}"' in source, one
    assert not [one for one, files in duplicates("en").items() if "remedies.po" in files]


def test_every_title_in_the_source_has_words() -> None:
    folder = Path(__file__).resolve().parents[2] / "analyzer/remedies"
    for path in folder.rglob("*.py"):
        for one in re.findall(r'"(change\.[a-z0-9-]+)"', path.read_text("utf-8")):
            assert MESSAGES.has(one), one


HOSTILE = (
    "$(reboot)",
    "a'b\"c",
    "x; rm -rf ~",
    "`id`",
    "--all",
    "n\nmode: evil",
    "\x1b[31mred",
    "{values}",
    "- [x",
    "&a *a",
)


@pytest.mark.parametrize("evil", HOSTILE)
def test_hostile_names_stay_data(evil: str) -> None:
    annotations = {f"{PREFIX}backend-label": evil, f"{PREFIX}id": evil, f"{PREFIX}force-override-listeners": evil}
    rows = [{"name": evil, "namespace": evil, "selector": json.dumps({"app": evil}), "annotations": annotations}]
    rows.append({"name": "other", "external_policy": "Local"})
    snapshot = services(sample("local-1.28-terway"), *rows)
    one = finding("S1", fixes=CARDS, targets=(f"{VIP}:80/tcp",), services=(f"{evil}/{evil}", "default/other"))
    found = fixes(snapshot, one)
    assert {"F1", "F2", "F3b", "F4", "F5", "F6", "F7", "F9", "F13", "F14", "F15"} <= set(found)
    seen = set()
    for remedy in found.values():
        check(remedy)
        for change in (*remedy.changes, *remedy.verify):
            assert "\x1b" not in change.body
            if change.kind == "command":
                seen |= {word for line in change.body.splitlines() for word in shlex.split(line)}
    assert f"service/{plain(evil)}" in seen
    assert f"--namespace={plain(evil)}" in seen
    assert f"--selector={plain(evil)}" in seen
    assert evil not in seen  # never a word of its own: it could be an option or a command
    manifest = next(iter(yaml.safe_load_all(found["F2"].changes[0].body)))
    names = [document["metadata"]["namespace"] for document in yaml.safe_load_all(found["F2"].changes[0].body)]
    assert evil in names
    assert {"app": evil} in [
        document["spec"]["selector"] for document in yaml.safe_load_all(found["F2"].changes[0].body)
    ]
    assert manifest["kind"] == "Service"
    assert not [change for change in found["F1"].changes if change.title.startswith("change.coredns")]


_NAMES = st.one_of(
    st.sampled_from(
        ("default/nginx", "default/kubernetes", N1, N3, f"node:{N1}", "pod:default/x", f"{VIP}:443/tcp", VIP)
    ),
    st.sampled_from((f"{VIP}:80/udp", "172.21.3.10:80/tcp", "10.0.4.141:30745/tcp", "10.0.2.78:80/sctp", "[::]:1")),
    st.text(max_size=12),
)


@settings(max_examples=60, deadline=None)
@given(
    *(st.lists(_NAMES, max_size=3).map(tuple) for _ in range(4)),
    st.sampled_from(SITUATIONS),
    st.sampled_from(SAMPLES[:2]),
)
def test_any_finding_is_no_trouble(
    targets: tuple[str, ...],
    named: tuple[str, ...],
    nodes: tuple[str, ...],
    vantages: tuple[str, ...],
    situation: str,
    name: str,
) -> None:
    one = finding(
        situation,
        fixes=CARDS,
        targets=targets,
        services=named,
        nodes=nodes,
        vantages=vantages,
        about="".join(targets[:1]),
    )
    for remedy in of_sample(name, one).values():
        check(remedy)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_any_words_come_back_from_the_shell(words: list[str]) -> None:
    line = command(*words)
    assert shlex.split(line) == [plain(word) for word in words]
    assert "\n" not in line
    assert shlex.split(kubectl(words[0], "get"))[1] == f"--namespace={plain(words[0])}"


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5))
def test_any_text_comes_back_from_a_document(values: dict[str, str]) -> None:
    assert list(yaml.safe_load_all(yaml_documents(values, {"second": 1}))) == [values, {"second": 1}]
