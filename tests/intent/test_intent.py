"""Statements of who must reach what, on captured clusters and on manifests that nobody has applied yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer import api
from analyzer.errors import UsageError
from analyzer.forwarding import build_world
from analyzer.intent import Result, assumed_cluster, check, read_intent
from tests import lab
from tests.cli.test_commands import run

LOCAL = "1.28.3-terway-local"
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  externalTrafficPolicy: POLICY
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "intent.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def statements(*lines: str) -> str:
    return "intent: 1\nstatements:\n" + "".join(f"  - {{{line}}}\n" for line in lines)


def checked(folder: Path, text: str, case: str = LOCAL) -> tuple[Result, ...]:
    with api.opened(lab.bundle(case)) as snapshot:
        return check(read_intent(written(folder, text)), build_world(snapshot))


@pytest.mark.parametrize(
    ("statement", "standing", "cells"),
    [
        ("from: [nodes, pods], to: service:default/nginx", "holds", 8),
        ("from: nodes, to: lb:default/nginx", "violated", 3),
        ("from: outside, to: lb:default/nginx:80, client-address: kept", "holds", 1),
        ("from: nodes, to: 192.168.1.200:443, must: not-reach", "holds", 3),
        ("from: outside, to: 192.168.1.200:443, must: not-reach", "violated", 1),
        ("from: namespace:default, to: nodeport:nginx:80", "violated", 18),
        ("from: node:cn-hongkong.10.0.2.77, to: service:nginx, client-address: kept", "holds", 1),
        ("from: external:198.51.100.7, to: 172.21.3.10:80, must: not-reach", "holds", 1),
        ("from: nodes, to: 8.8.8.8:53/udp", "open", 3),
    ],
)
def test_a_statement_stands_as_the_walk_says(tmp_path: Path, statement: str, standing: str, cells: int) -> None:
    (result,) = checked(tmp_path, statements(statement))
    assert (result.standing, len(result.cells)) == (standing, cells)
    if standing != "holds":
        assert result.of(result.standing)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("intent: 2\nstatements: [{from: nodes, to: 10.0.0.1:80}]", "first key"), ("intent: 1", "no statements"),
        ("[1]", "mapping"), ("intent: 1\nstatments: []", "no key statments"), ("a: [", "no YAML"),
        ("intent: 1\nstatements: [x]", "mapping"),
        (statements("from: nodes, to: 10.0.0.1:80, must: maybe"), "must is"), (statements("from: 7, to: 10.0.0.1:80"), "from is"),
        (statements("form: nodes, to: 10.0.0.1:80"), "no key form"), (statements("from: nodes"), "to is"),
        (statements("name: a, from: nodes, to: x", "name: a, from: nodes, to: y"), "two statements"),
        (statements("from: nodes, to: x, must: not-reach, client-address: kept"), "client-address"),
        ("intent: 1\nopen: maybe\nstatements: [{from: nodes, to: x}]", "open is"),
        ("intent: 1\nassume: {nodes: 0}\nstatements: [{from: nodes, to: x}]", "assume.nodes"),
        ("intent: 1\nassume: {nodes: 2, cni: x}\nstatements: [{from: nodes, to: x}]", "assume.cni"),
    ],
)  # fmt: skip
def test_an_intent_file_with_an_error_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_intent(written(tmp_path, text))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("from: node:none, to: service:nginx", "no node"), ("from: nodes, to: service:none", "no Service"),
        ("from: nodes, to: service:nginx:81", "no service address"), ("from: namespace:none, to: service:nginx", "no pod"),
        ("from: nodes, to: nowhere", "not a target"), ("from: everybody, to: service:nginx", "not a source"),
    ],
)  # fmt: skip
def test_a_statement_about_what_is_not_there_names_its_line(tmp_path: Path, statement: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        checked(tmp_path, statements("from: nodes, to: service:nginx", statement))
    assert caught.value.where.endswith("intent.yaml:4")


@pytest.mark.parametrize(
    ("policy", "version", "cni", "nodes", "code"),
    [
        ("Cluster", "1.28", "terway", "[node-1]", 0), ("Local", "1.28", "terway", "[node-1]", 1),
        ("Local", "1.28", "flannel", "[node-1]", 0), ("Local", "1.22", "flannel", "[node-1]", 1),
        ("Local", "1.28", "terway", "[node-1, node-2]", 0),
    ],
)  # fmt: skip
def test_rendered_manifests_are_checked_without_a_cluster(
    tmp_path: Path, policy: str, version: str, cni: str, nodes: str, code: int
) -> None:
    folder = tmp_path / "rendered"
    folder.mkdir()
    (folder / "services.yaml").write_text(MANIFEST.replace("POLICY", policy), encoding="utf-8")
    text = statements("name: inside, from: [nodes, pods], to: 'lb:shop/web'")
    text += f'assume: {{nodes: 2, kubernetes: "{version}", cni: {cni}, endpoints: {{shop/web: {nodes}}}}}\n'
    text += "open: fail\n"
    got = run(
        "analyze", str(folder), "-f", "json", "-o", str(tmp_path / "out"), "--intent", str(written(tmp_path, text))
    )
    assert got.returncode == code, got.stdout + got.stderr


def test_assumed_nodes_do_not_mix_with_captured_ones(tmp_path: Path) -> None:
    intent = read_intent(written(tmp_path, statements("from: nodes, to: service:nginx") + "assume: {nodes: 2}\n"))
    with api.opened(lab.bundle(LOCAL)) as snapshot, pytest.raises(UsageError, match="holds nodes"):
        assumed_cluster(snapshot, intent.assume)


def test_a_violation_is_a_finding_and_an_exit_code(tmp_path: Path) -> None:
    intent = written(tmp_path, statements("name: by the load balancer, from: nodes, to: lb:default/nginx"))
    got = run(
        "analyze",
        str(lab.bundle(LOCAL)),
        "-f",
        "json",
        "-o",
        str(tmp_path),
        "--intent",
        str(intent),
        "--fail-on",
        "never",
    )
    assert got.returncode == 1
    assert "1 violated" in got.stdout
    first = json.loads((tmp_path / "report.json").read_text("utf-8"))["findings"][0]
    assert (first["rule"], first["about"], first["severity"]) == ("INTENT-001", "by the load balancer", "critical")
    assert first["evidence"]
    assert first["example"]
    calm = written(tmp_path, statements("from: nodes, to: service:default/nginx"))
    got = run(
        "analyze",
        str(lab.bundle(LOCAL)),
        "-f",
        "json",
        "-o",
        str(tmp_path),
        "--intent",
        str(calm),
        "--fail-on",
        "never",
    )
    assert got.returncode == 0
