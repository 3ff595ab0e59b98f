"""ipvscope: who can reach which Service address in a Kubernetes cluster, from files alone.

The verbs of the command line as functions; they are loaded when first used, so that importing this package is cheap.

>>> import analyzer
>>> with analyzer.opened(analyzer.example("clb-reuse")) as snapshot:
...     world = analyzer.build_world(snapshot)
...     analyzer.probe(world, "node:cn-hongkong.10.0.2.77", "192.168.1.200:443").outcome
'refused'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analyzer.api import analyze, example, opened, probe, probe_frame, trace
    from analyzer.forwarding.build import build_world
    from analyzer.forwarding.matrix import matrix

__version__ = "0.1.0"
__all__ = ["analyze", "build_world", "example", "matrix", "opened", "probe", "probe_frame", "trace"]


def __getattr__(name: str) -> Any:
    if name in ("build_world", "matrix"):
        from analyzer import forwarding

        return getattr(forwarding, name)
    if name in __all__:
        from analyzer import api

        return getattr(api, name)
    raise AttributeError(f"module 'analyzer' has no attribute {name!r}")
