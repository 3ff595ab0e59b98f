"""How far a long run is."""

from __future__ import annotations

from collections import defaultdict

from analyzer import api, progress


def test_an_analysis_tells_its_stages_in_order_and_how_far_each_is() -> None:
    told: list[tuple[str, int, int]] = []
    progress.listen(lambda *what: told.append(what))
    try:
        with api.opened(api.example("clb-reuse")) as snapshot:
            api.analyze(snapshot, simulate=False)
    finally:
        progress.listen(None)
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages[:4] == ["reading", "walking", "observing", "rules"]
    shares: dict[str, list[int]] = defaultdict(list)
    for stage, done, total in told:
        assert 0 <= done <= total or not total
        shares[stage].append(done)
    for stage in ("reading", "walking"):
        assert shares[stage] == sorted(shares[stage])
        assert shares[stage][-1] > 0
