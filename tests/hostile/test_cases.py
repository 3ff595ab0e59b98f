"""Each hostile bundle that is small enough: refused with a reason, or read with a reason for what was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.bundle import open_bundle
from analyzer.errors import UnsafeBundle
from analyzer.snapshot import load

from .cases import GOOD, Case, all_cases

SMALL = [case for case in all_cases() if not case.large]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_a_hostile_bundle_is_answered_and_its_rest_is_read(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    if case.error:
        with pytest.raises(UnsafeBundle, match=case.error):
            open_bundle(path)
        return
    with open_bundle(path) as bundle:
        snapshot = load(bundle)
        captures, notes = snapshot["captures"], snapshot["parse_notes"]
        told = [*captures["detail"].dropna(), *notes["text"].dropna(), *notes["detail"].dropna()]
        assert case.said in "\n".join(told)
        missing = set(GOOD) - {member.path for member in bundle.members}
        assert not missing
        assert snapshot.captured["node-a"]["ip-addr"]
        assert {"127.0.0.1", "10.0.0.10"} <= set(snapshot["addresses"]["address"])
        assert "192.168.1.200" in set(snapshot["virtual_servers"]["address"])
    assert not Path("/tmp/ipvscope-was-here").exists()
