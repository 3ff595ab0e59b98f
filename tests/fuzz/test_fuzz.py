"""The fuzzing itself: a target for each form, seeds for each target, what was found once is not found again."""

from __future__ import annotations

import pytest

from analyzer.parsers import registry

from . import mutate
from .one import runs_of
from .targets import CORPUS, targets

FOUND = sorted(path for path in CORPUS.rglob("*") if path.is_file())


def test_each_parser_and_the_archive_reader_have_a_target() -> None:
    assert set(targets()) == {form.name for form in registry.forms()} | {"archive", "member"}


def test_every_target_has_seeds_and_takes_changed_ones() -> None:
    for target in targets().values():
        seeds = list(target.seeds())
        assert seeds, target.name
        runs, data, error = mutate.fuzz(target.run, seeds[:2], 60, runs=5)
        assert error is None, (target.name, data, error)
        assert runs == 5


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_is_not_found_again(path: object) -> None:
    targets()[path.parent.name].run(path.read_bytes())  # type: ignore[attr-defined]


def test_plain_mutation_finds_a_planted_mistake() -> None:
    def fragile(data: bytes) -> None:
        if b"\0" in data:
            raise ValueError("a NUL")

    runs, data, error = mutate.fuzz(fragile, [b"one\ntwo\n", b"three\n"], 60, seed=1, runs=100_000)
    assert isinstance(error, ValueError)
    assert data is not None
    assert b"\0" in data
    assert runs > 2


def test_the_number_of_runs_is_read_from_either_engine() -> None:
    assert runs_of("noise\nruns 17\n") == 17
    assert runs_of("#1\tINITED\nstat::number_of_executed_units: 3606\nstat::x: 1\n") == 3606
    assert runs_of("Killed") == 0
