"""Captures with one conntrack line changed: what must contradict does, what age or chance explains does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer import api
from analyzer.observations import observe
from analyzer.report import html, json_report, text
from analyzer.report.messages import Messages
from tests import lab

from .edit import CLB, N1, N2, N3, ONE, cell, compared, edited, one, with_lines

HOST_LOST = (
    "SYN_SENT src=192.168.1.200 dst=192.168.1.200 sport=39670 dport=80 [UNREPLIED] "
    "src=10.0.2.78 dst=192.168.1.200 sport=80 dport=39670"
)
HOST_MADE = HOST_LOST.replace("SYN_SENT", "TIME_WAIT").replace(" [UNREPLIED]", "") + " [ASSURED]"
POD_MADE = (
    "src=10.0.0.190 dst=172.21.3.10 sport=35806 dport=80 src=10.0.2.78 dst=10.0.0.190 sport=80 dport=35806 [ASSURED]"
)
POD, POD3 = "pod:default/centos-5d8f9c7b44-bbbbb", "pod:default/centos-5d8f9c7b44-ccccc"
CLUSTER_IP = "172.21.3.10:80/tcp"
MADE = f"TIME_WAIT {POD_MADE}"


@pytest.mark.parametrize(
    ("source", "target", "old", "new", "status", "differs"),
    [
        # the three shapes in which an entry can contradict
        (f"node:{N3}", CLB, HOST_LOST, HOST_MADE, "contradicted", "outcome"),
        (POD, CLUSTER_IP, MADE, MADE.replace("src=10.0.2.78", "src=10.0.0.172"), "contradicted", "server"),
        (POD, CLUSTER_IP, MADE, MADE.replace("src=10.0.2.78 dst=10.0.0.190", "src=10.0.2.78 dst=10.0.0.171"),
         "contradicted", "source"),
        (POD, CLUSTER_IP, MADE, MADE.replace("TIME_WAIT", "SYN_SENT").replace("80 src=10.0.2.78", "80 [UNREPLIED] src=10.0.2.78")
         .replace(" [ASSURED]", ""), "contradicted", "outcome"),
        # explained otherwise
        (POD, CLUSTER_IP, MADE, MADE.replace("src=10.0.2.78", "src=10.0.2.99"), "not-seen", ""),
        (POD, CLUSTER_IP, MADE, MADE.replace("TIME_WAIT", "ESTABLISHED").replace("src=10.0.2.78", "src=10.0.0.172"),
         "not-seen", ""),
        (POD, CLUSTER_IP, MADE, MADE.replace("TIME_WAIT", "SYN_RECV").replace(" [ASSURED]", ""), "not-seen", ""),
        (POD, CLUSTER_IP, f"115 {MADE}", "119 SYN_SENT " + POD_MADE.replace("80 src=10.0.2.78", "80 [UNREPLIED] src=10.0.2.78")
         .replace(" [ASSURED]", ""), "not-seen", ""),
        (POD, CLUSTER_IP, MADE, MADE.replace("src=10.0.0.190 dst=172", "src=10.0.0.191 dst=172"), "not-seen", ""),
        (POD, CLUSTER_IP, MADE, MADE.replace("dport=80 ", "dport=81 "), "not-seen", ""),
        # unchanged in what matters
        (POD, CLUSTER_IP, MADE, MADE.replace("TIME_WAIT", "ESTABLISHED"), "confirmed", ""),
    ],
    ids=[
        "answered-though-lost", "other-server", "other-source", "silent-though-reachable", "server-is-gone",
        "established-may-be-old", "half-made", "just-sent", "another-client", "another-port", "established",
    ],
)  # fmt: skip
def test_one_line_changed(source: str, target: str, old: str, new: str, status: str, differs: str) -> None:
    changed, text = with_lines(N3 if source.startswith("node:") else N2, (old, new))
    _, world, cells = one()
    seen = observe(changed, world, cells)
    found = cell(seen, world, source, target)
    assert (found.status, found.differs) == (status, differs)
    if status == "contradicted":
        assert seen.contradictions == (found,)
        assert found.predicted != found.observed
        assert new in text.splitlines()[found.evidence[0].line - 1]
    else:
        assert seen.contradictions == ()


def test_the_node_that_was_dialled_is_asked_too() -> None:
    """The client's own node does not translate a NodePort elsewhere; the entry with the same ports there does."""
    old = "src=10.0.4.150 dst=10.0.2.77 sport=40478 dport=30745 src=10.0.2.78 dst=10.0.4.150"
    new = old.replace("src=10.0.2.78", "src=10.0.0.172")
    _, world, cells = one()
    found = cell(observe(with_lines(N1, (old, new))[0], world, cells), world, POD3, "10.0.2.77:30745/tcp")
    assert (found.status, found.differs, found.observed) == ("contradicted", "server", "10.0.0.172:80")


def test_a_client_outside_is_walked_by_its_own_address() -> None:
    old = "src=10.0.3.72 dst=10.0.2.77 sport=59814 dport=30745 src=10.0.2.78 dst=10.0.3.72"
    changed, _ = with_lines(N1, (old, old.replace("src=10.0.2.78", "src=10.0.0.172")))
    _, world, cells = one()
    assert (
        cell(observe(changed, world, cells), world, "external:198.51.100.1", "10.0.2.77:30745/tcp").differs == "server"
    )


def test_an_answered_entry_outweighs_a_silent_one() -> None:
    silent = MADE.replace("TIME_WAIT", "SYN_SENT").replace("80 src=10.0.2.78", "80 [UNREPLIED] src=10.0.2.78")
    silent = silent.replace(" [ASSURED]", "").replace("35806", "35807")
    other = "SYN_SENT src=10.0.0.172 dst=10.0.4.141 sport=49360 dport=30745 [UNREPLIED] src=10.0.4.141 dst=10.0.0.172"
    changed, _ = with_lines(N2, (other + " sport=30745 dport=49360", silent))
    _, world, cells = one()
    assert cell(observe(changed, world, cells), world, POD, CLUSTER_IP).status == "confirmed"


def test_template_to_a_server_that_is_gone(tmp_path: Path) -> None:
    line = "TCP 01:50  NONE        10.0.4.150:0       192.168.1.200:80   10.0.2.99:80\n"
    folder = edited(tmp_path, ONE, N3, member="ipvsadm-Lnc")
    file = folder / "nodes" / N3 / "ipvsadm-Lnc.txt"
    content = file.read_text("utf-8")
    file.write_text(content.rstrip("\n") + "\n" + line, "utf-8")
    with compared(folder) as (snapshot, _, _, seen):
        assert [(one.kind, one.node, one.server, one.real_server) for one in seen.signs] == [
            ("stale-template", N3, "tcp/192.168.1.200:80", "10.0.2.99:80")
        ]
        assert "NONE" in snapshot.quote(seen.signs[0].evidence[0]).text


def test_reports_name_the_contradiction(tmp_path: Path) -> None:
    with api.opened(edited(tmp_path, ONE, N3, (HOST_LOST, HOST_MADE))) as snapshot:
        analysis = api.analyze(snapshot)
        for language in ("en", "zh_CN"):
            messages = Messages(language)
            shown = text.summary(analysis, messages)
            assert len([line for line in shown.splitlines() if not line.startswith(("Cause: ", "根因："))]) == 5
            assert "41" in shown.splitlines()[3]
            for page in (html.render(analysis, messages), html.render_for_paper(analysis, messages)):
                section = page[page.index('<section id="observations">') :]
                assert "sport=39670" in section
                assert "⟦" not in section[: section.index("</section>")]
        found = next(one for one in analysis.findings.findings if one.rule == "OBS-001")
        assert (found.severity, found.vantages, found.nodes) == ("notice", (f"node:{N3}",), (N3,))
        assert "[ASSURED]" in found.evidence[0].text
        document = json_report.report(analysis, Messages()).observations
        assert document is not None
        assert (document.confirmed, document.contradicted) == (analysis.observations.confirmed, 1)
        assert document.agreement == pytest.approx(document.confirmed / (document.confirmed + 1), abs=1e-6)


def test_rule_is_skipped_without_conntrack(tmp_path: Path) -> None:
    folder = edited(tmp_path, ONE, N3)
    for file in folder.rglob("conntrack*.txt"):
        file.unlink()
    with api.opened(folder) as snapshot:
        analysis = api.analyze(snapshot)
        assert analysis.observations.agreement is None
        assert "OBS-001" in {one.rule for one in analysis.findings.skipped}
        assert Messages().text("report.observations.no-capture") in html.render(analysis, Messages())


def test_shapes_of_a_lost_answer() -> None:
    """Without masquerade the entry stays unanswered and confirms the timeout; with it the answer comes back."""
    with compared(lab.bundle(ONE)) as (snapshot, world, cells, seen):
        for source, target in (
            (f"node:{N3}", CLB),
            ("external:198.51.100.1", "10.0.4.141:30745/tcp"),
            (POD, "10.0.4.141:30745/tcp"),
        ):
            found = cell(seen, world, source, target)
            assert cells.cells[found.source, found.target].outcome == "timeout"
            assert found.status == "confirmed"
            assert any("[UNREPLIED]" in snapshot.quote(place).text for place in found.evidence)
        refused = cell(seen, world, f"node:{N2}", "192.168.1.200:443/tcp")
        assert cells.cells[refused.source, refused.target].outcome == "refused"
        assert refused.status == "confirmed"
    with compared(lab.bundle("1.28.3-flannel-local-one")) as (snapshot, world, _, seen):
        found = cell(seen, world, "external:198.51.100.1", "10.0.4.141:30745/tcp")
        assert found.status == "confirmed"
        assert "dst=10.0.4.141 sport=80" in snapshot.quote(found.evidence[0]).text
