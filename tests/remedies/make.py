"""Snapshots of the samples, changed where a test needs something no sample shows, and findings made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from analyzer.bundle import open_bundle
from analyzer.findings.model import Finding
from analyzer.forwarding.build import build_world
from analyzer.forwarding.world import World
from analyzer.remedies import Remedy, remedies_for
from analyzer.snapshot.load import load
from analyzer.snapshot.model import Fact, Regime, Snapshot
from analyzer.tables import TABLES

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = tuple(sorted(path.name.removesuffix(".tar.gz") for path in (ROOT / "samples").glob("*.tar.gz")))
VIP = "192.168.1.200"
N1, N2, N3 = "cn-hongkong.10.0.2.77", "cn-hongkong.10.0.0.171", "cn-hongkong.10.0.4.141"
PREFIX = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-"

# The order of the fixes as the situation table of the reference has it.
FIXES: Mapping[str, tuple[str, ...]] = {
    "S1": ("F1", "F2", "F3", "F3b", "F4", "F9", "F10"),
    "S3": ("F1", "F6", "F5", "F7", "F3", "F11"),
    "S4": ("F1", "F6", "F5", "F7", "F3", "F4", "F10"),
    "S8": ("F8", "F5", "F7", "F12"),
    "S11": ("F1", "F3c", "F13", "F6", "F9"),
    "S14": ("F14",),
    "S18": ("F3b",),
    "S22": ("F16",),
}


@cache
def sample(name: str) -> Snapshot:
    with open_bundle(ROOT / "samples" / f"{name}.tar.gz") as bundle:
        return load(bundle)


@cache
def world(name: str) -> World:
    return build_world(sample(name))


def finding(situation: str, **fields: Any) -> Finding:
    fields.setdefault("fixes", FIXES.get(situation, ()))
    fields.setdefault("about", "test")
    return Finding("TEST-001", severity="critical", values={}, situation=situation, **fields)


def fixes(snapshot: Snapshot, one: Finding, built: World | None = None) -> dict[str, Remedy]:
    return {remedy.card: remedy for remedy in remedies_for(one, snapshot, built or build_world(snapshot))}


def of_sample(name: str, one: Finding) -> dict[str, Remedy]:
    return fixes(sample(name), one, world(name))


def commands(remedy: Remedy) -> str:
    return "\n".join(change.body for change in remedy.changes if change.kind == "command")


def services(snapshot: Snapshot, *rows: dict[str, Any]) -> Snapshot:
    """The first load-balanced Service of the sample replaced by copies of it with these columns changed.

    `annotations` are merged over the original ones (None takes one away); ports and endpoints follow a new name.
    """
    frame, ports, endpoints = snapshot["services"], snapshot["service_ports"], snapshot["endpoints"]
    original = frame[frame["type"] == "LoadBalancer"].iloc[0].to_dict()
    old = original["name"]
    made: list[dict[Any, Any]] = []
    made_ports = [ports[ports["service"] != old]]
    made_endpoints = [endpoints[endpoints["service"] != old]]
    for row in rows:
        merged = {**json.loads(original["annotations"]), **row.get("annotations", {})}
        kept = {key: value for key, value in merged.items() if value is not None}
        new: dict[Any, Any] = {**original, **row, "annotations": json.dumps(kept)}
        port = new.pop("port", None)
        own = ports[ports["service"] == old].assign(service=new["name"], namespace=new["namespace"])
        made_ports.append(own if port is None else own.assign(port=pd.array([port] * len(own), dtype="Int64")))
        made_endpoints.append(
            endpoints[endpoints["service"] == old].assign(service=new["name"], namespace=new["namespace"])
        )
        made.append(new)
    others = [dict(one) for one in frame[frame["name"] != old].to_dict("records")]
    known = [{str(key): None if _absent(value) else value for key, value in one.items()} for one in [*others, *made]]
    return snapshot.with_tables(
        services=TABLES["services"].frame(known),
        service_ports=pd.concat(made_ports),
        endpoints=pd.concat(made_endpoints),
    )


def _absent(value: Any) -> bool:
    return value is pd.NA or value != value


def table(snapshot: Snapshot, name: str, **columns: Any) -> Snapshot:
    """One table with some columns set to one value each."""
    frame = snapshot[name]
    changed = {
        key: pd.Series([value] * len(frame), index=frame.index, dtype=frame[key].dtype)
        for key, value in columns.items()
    }
    return snapshot.with_tables(**{name: frame.assign(**changed)})


def regimes(snapshot: Snapshot, **facts: str) -> Snapshot:
    """Every node's regime with some facts replaced."""
    new = {
        node: Regime(node, {**regime.facts, **{key: Fact(value, "state") for key, value in facts.items()}})
        for node, regime in snapshot.regimes.items()
    }
    return replace(snapshot, regimes=new)
