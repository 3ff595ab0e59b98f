"""Rules that no lab capture shows: a real capture, changed in one place, and what the analysis says then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analyzer import api
from analyzer.forwarding import build_world
from tests.findings.cases import edge
from tests.findings.edits import N1, N2, N3, edit, edit_json, found, node_files, only, rules, servers, unpack

__all__ = ["unpack"]


def test_lb_001_a_reused_load_balancer_without_the_services_listener(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    edge.no_listener(folder)
    result = found(folder)
    one = only(result, "LB-001")
    assert one.situation == "S14"
    assert one.values["override"] == "absent"
    assert one.fixes[0] == "F14"
    assert "REACH-099" not in rules(result), "the failure outside is explained"


def test_lb_002_one_of_two_sharers_keeps_the_address_bound(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-hostname")
    edge.one_sharer_hidden(folder)
    one = only(found(folder), "LB-002")
    assert one.situation == "S18"
    assert one.values["hidden"] == "default/nginx-hn"
    assert one.values["binding"] == "default/nginx-hn-local"
    assert one.fixes == ("F3b",)


def test_drift_004_an_address_left_on_kube_ipvs0(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    left = "    inet 192.168.1.77/32 scope global kube-ipvs0\n       valid_lft forever preferred_lft forever\n"
    for path in node_files(folder, N1, "ip-addr.txt"):
        path.write_text(path.read_text() + left)
    for name in ("ip-j-addr.json", "ip-d-addr-kube-ipvs0.txt"):
        for path in node_files(folder, N1, name):
            path.unlink()
    one = only(found(folder), "DRIFT-004")
    assert (one.about, one.nodes, one.situation) == ("192.168.1.77", (N1,), "S22")
    assert one.evidence[0].file.endswith("ip-addr.txt")


def test_drift_002_an_endpoint_is_missing(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    servers(folder, N2, lambda text: re.sub(r"  -> 10\.0\.0\.172:80 .*\n", "", text))
    one = only(found(folder), "DRIFT-002")
    assert one.nodes == (N2,)
    assert one.values["details"] == "10.0.0.172:80"


def test_drift_006_a_virtual_server_nobody_asked_for(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    servers(
        folder,
        N2,
        lambda text: text + "TCP  192.0.2.9:8080 wlc\n  -> 192.0.2.10:8080           Route   1      0          0\n",
    )
    assert only(found(folder), "DRIFT-006").values["servers"] == "tcp/192.0.2.9:8080"


def test_drift_007_weight_zero_on_a_ready_endpoint(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    servers(
        folder,
        N1,
        lambda text: text.replace("10.0.2.78:80                 Masq    1 ", "10.0.2.78:80                 Masq    0 "),
    )
    result = found(folder)
    assert only(result, "DRIFT-007").nodes == (N1,)
    assert "DRIFT-001" not in rules(result)


def test_a_draining_real_server_is_no_fault(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    draining = "  -> 10.0.2.99:80                 Masq    0      0          3         \n"
    servers(
        folder, N1, lambda text: text.replace("TCP  192.168.1.200:80 rr\n", "TCP  192.168.1.200:80 rr\n" + draining)
    )
    assert not {one for one in rules(found(folder)) if one.startswith("DRIFT")}


def test_sys_001_ipvs_connections_are_not_tracked(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    edit(folder / "nodes" / N3 / "sysctl.txt", r"^net\.ipv4\.vs\.conntrack = 1$", "net.ipv4.vs.conntrack = 0")
    result = found(folder)
    one = only(result, "SYS-001")
    assert one.severity == "critical"
    assert one.nodes == (N3,)
    # As measured on a kernel with this fault: ClusterIP and load balancer from the host, NodePort from others.
    assert (f"node:{N3}", "172.21.3.10:80/tcp") in one.cells
    assert (f"node:{N3}", "192.168.1.200:80/tcp") in one.cells
    assert (f"node:{N1}", "10.0.4.141:30745/tcp") in one.cells
    assert (f"node:{N3}", "10.0.4.141:30745/tcp") not in one.cells
    assert "REACH-099" not in rules(result)


def test_reach_014_a_host_firewall_is_named_with_its_rule(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    path = folder / "nodes" / N3 / "iptables-save.txt"
    edit(
        path,
        r"^-A INPUT -j KUBE-FIREWALL$",
        "-A INPUT -p tcp -m tcp --dport 30000:32767 -j DROP\n-A INPUT -j KUBE-FIREWALL",
    )
    result = found(folder)
    one = only(result, "REACH-014")
    # The load balancer fails for outside clients when it picks this node.
    assert set(one.targets) == {"10.0.4.141:30745/tcp", "192.168.1.200:80/tcp"}
    assert any("--dport 30000:32767 -j DROP" in place.text for place in one.evidence)
    assert f"node:{N3}" not in one.vantages, "the node's own connections do not pass INPUT"


def test_mode_001_a_node_in_iptables_mode_with_leftovers(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    edit(folder / "nodes" / N1 / "kube-proxy.log", "Using ipvs Proxier", "Using iptables Proxier")
    one = only(found(folder), "MODE-001")
    assert one.nodes == (N1,)
    assert one.severity == "warning"
    assert one.values["left_over"] == N1


def test_input_001_names_what_is_missing_and_input_002_what_failed(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    for path in (folder / "nodes" / N2).glob("ipvsadm*"):
        path.unlink()
    (folder / "nodes" / N2 / "ipvsadm-Ln.txt").write_text("bash: ipvsadm: command not found\n")
    result = found(folder)
    assert f"ipvsadm: {N2}" in only(result, "INPUT-001").values["missing"]
    assert only(result, "INPUT-002").values["count"] == "1"
    assert "DRIFT-005" not in rules(result), "an error text is not an empty table"


def test_rules_are_skipped_when_their_inputs_are_missing(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    for path in (folder / "cloud" / "aliyun").glob("*.json"):
        path.unlink()
    for node in (N1, N2, N3):
        for path in (folder / "nodes" / node).glob("sysctl.txt"):
            path.unlink()
    result = found(folder)
    skipped = {one.rule: one.missing for one in result.skipped}
    assert skipped["REACH-001"] == ("cloud",)
    assert skipped["SYS-001"] == ("sysctl",)
    one = only(result, "REACH-013")
    assert one.about == "192.168.1.200"
    assert one.severity == "info"


def test_svc_002_internal_policy_local_refuses_by_design(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.22.0-terway-cluster")
    edit(
        folder / "cluster" / "services.json",
        r'("name": "nginx"[\s\S]*?"internalTrafficPolicy": )"Cluster"',
        r'\1"Local"',
    )

    def emptied(text: str) -> str:
        return re.sub(r"  -> 10\.0\.[02]\.\d+:80 .*\n", "", text)

    servers(folder, N3, emptied)
    one = only(found(folder), "SVC-002")
    assert one.services == ("default/nginx",)
    assert int(one.values["wider"]) > 0, "up to 1.23 the NodePort and the load balancer are emptied too"


def test_an_access_list_whose_entries_are_not_there_is_never_ok(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")

    def guarded(document: Any) -> None:
        for listener in document.get("Listeners", ()):
            listener.update(AclStatus="on", AclType="white", AclId="acl-case")

    for path in (folder / "cloud" / "aliyun").glob("DescribeLoadBalancerListeners*"):
        edit_json(path, guarded)
    with api.opened(folder) as snapshot:
        verdict = api.probe(build_world(snapshot), "external:10.0.3.72", "192.168.1.200:80")
    assert verdict.outcome == "unknown"
    assert verdict.missing == ("entries of access list acl-case",)


def test_a_server_that_a_cut_listing_lacks_may_exist(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    servers(folder, N1, lambda text: text.partition("TCP  192.168.1.200:80")[0] + "...\n")
    with api.opened(folder) as snapshot:
        verdict = api.probe(build_world(snapshot), f"node:{N1}", "192.168.1.200:80")
    assert verdict.outcome == "unknown"
    assert f"all of ipvsadm of {N1}" in verdict.missing


def test_an_abnormal_backend_gets_no_traffic(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    status = folder / "cloud" / "aliyun" / "DescribeHealthStatus-lb-j6c3e705f3f808e03.json"

    def seen_with(*addresses: str) -> tuple[str, tuple[str, ...]]:
        rows = [
            {"ListenerPort": 80, "Protocol": "tcp", "Port": 30745, "ServerIp": one, "ServerHealthStatus": "abnormal"}
            for one in addresses
        ]
        status.write_text(json.dumps({"BackendServers": {"BackendServer": rows}}))
        with api.opened(folder) as snapshot:
            verdict = api.probe(build_world(snapshot), "external:10.0.3.72", "192.168.1.200:80")
        return verdict.outcome, verdict.seen_source_ips

    assert seen_with("10.0.2.77", "10.0.0.171") == ("ok", ("10.0.4.141",))
    assert seen_with("10.0.2.77", "10.0.0.171", "10.0.4.141")[0] == "unknown"
