"""Builds analyses for the tests of the report. All addresses are documentation addresses."""

from __future__ import annotations

from analyzer.evidence import Evidence
from analyzer.findings.drift_model import Drift
from analyzer.findings.model import Finding, Findings, Skipped
from analyzer.forwarding.classes import classes
from analyzer.forwarding.matrix_model import Matrix, MatrixTarget, Vantage
from analyzer.forwarding.model import Hop, Packet, Path, Source, Step, Target, Trace, Verdict
from analyzer.remedies.model import Change, Prerequisite, Remedy
from analyzer.report.analysis import Analysis
from analyzer.snapshot.model import Fact, Regime, Snapshot
from analyzer.tables import TABLES

SCRIPT = "<script>alert(1)</script>"
HOSTILE = f'{SCRIPT}"><img src=x onerror=alert(2)> {{x}} %s {{{{7*7}}}} `tick` \x1b[31m\u202e\x00'
NODES = (
    "node-a",
    "node-b",
    "cn-hongkong.i-" + "very-long-node-name-" * 6 + "end",
    SCRIPT,
)
SERVICES = ("shop/web", "shop/" + "s" * 300, "支付/结算服务-中文名称", f"evil/{HOSTILE}", "kube-system/ingress", "")
VIP = "203.0.113.10"
_OUTCOMES = ("ok", "ok", "ok", "refused", "timeout", "unreachable", "wrong-server", "mixed", "unknown")


def verdict(outcome: str, *, layer: str = "captured", confidence: str = "high") -> Verdict:
    return Verdict(
        outcome=outcome, outcomes=(outcome,), servers=("192.0.2.8:8443",), seen_source_ips=("192.0.2.1",),
        mechanism="no-real-server" if outcome == "refused" else "answered", mechanisms=("answered",),
        confidence=confidence, missing=("node-b ipvsadm",) if outcome == "unknown" else (), layer=layer,
    )  # type: ignore[arg-type]  # fmt: skip


def matrix(rows: int, columns: int) -> Matrix:
    kinds = ("cluster-ip", "node-port", "load-balancer", "external-ip", "load-balancer-listener")
    targets = tuple(
        MatrixTarget(
            Target(f"203.0.113.{row % 250}" if row % 5 else f"2001:db8::{row:x}", 80 + row, "tcp"), kinds[row % 5],
            SERVICES[row * len(SERVICES) // rows], NODES[2] if kinds[row % 5] == "node-port" else "",
        )
        for row in range(rows)
    )  # fmt: skip
    vantages = []
    for column in range(columns):
        node = NODES[column % len(NODES)]
        if column % 9 == 8:
            vantages.append(Vantage(Source("external", f"198.51.100.{column}"), "external"))
        elif column < len(NODES):
            vantages.append(Vantage(Source("node", node), "node", node))
        else:
            kind = "backend-pod" if column % 2 else "pod"
            vantages.append(Vantage(Source("pod", f"shop/client-{column}"), kind, node))
    cells = {
        (vantage.source, row.target): verdict(
            _OUTCOMES[(number * 7 + index * index) % 9] if number % 4 else "ok",
            layer="inferred" if (number + index) % 7 == 0 else "captured",
        )
        for number, row in enumerate(targets)
        for index, vantage in enumerate(vantages)
    }
    return Matrix(targets, tuple(vantages), cells, ("UDP targets of 3 Services: the input names no port",))


def trace() -> Trace:
    """Two hops there, two back; a second path that is refused; a third with hostile text."""
    out = Packet("tcp", VIP, 40000, VIP, 443)
    dialled = Evidence("nodes/node-a/ipvsadm-Ln.txt", 12, "TCP  203.0.113.10:443 rr", "node-a")
    chosen = Packet("tcp", VIP, 40000, "192.0.2.8", 8443)
    marked = Packet("tcp", VIP, 40000, "192.0.2.8", 8443, 0x4000)
    sent = Packet("tcp", "198.51.100.1", 40000, "192.0.2.8", 8443)
    back = Packet("tcp", "192.0.2.8", 8443, "198.51.100.1", 40000)
    home = Packet("tcp", VIP, 443, VIP, 40000)
    request = (
        Hop("node:node-a", "request", (
            Step("made", "LOCAL_OUT", {"source": VIP}, out, (dialled,)),
            Step("ipvs-scheduled", "LOCAL_OUT", {"server": "192.0.2.8:8443", "scheduler": "rr"}, chosen, (dialled,)),
            Step("marked", "OUTPUT", {"mark": "0x4000"}, marked),
            Step("masqueraded", "POSTROUTING", {"source": "198.51.100.1"}, sent),
        )),
        Hop("network", "request", (Step("delivered", "", {}, sent),)),
        Hop(f"node:{NODES[2]}", "request", (Step("forwarded", "FORWARD", {}, sent),)),
        Hop("pod:shop/web-5d9c7", "request", (Step("accepted", "LOCAL_IN", {"port": "8443"}, sent),)),
    )  # fmt: skip
    reply = (
        Hop("pod:shop/web-5d9c7", "reply", (Step("answered", "LOCAL_OUT", {}, back),)),
        Hop(f"node:{NODES[2]}", "reply", (Step("forwarded", "FORWARD", {}, back),)),
        Hop("node:node-a", "reply", (Step("translated-back", "PREROUTING", {}, home, (dialled,)),)),
    )
    good = Path(
        "ok",
        "answered",
        request + reply,
        server="192.0.2.8:8443",
        also=("192.0.2.9:8443",),
        seen_source="198.51.100.1",
        share=0.5,
    )
    lost = Path(
        "timeout", "martian-source",
        (Hop("node:node-a", "request", request[0].steps[:2]),
         Hop("node:node-b", "request", (Step("dropped", "PREROUTING", {"source": VIP}, chosen, (dialled,)),))),
        share=0.3, values={"source": VIP, "node": "node-b"},
    )  # fmt: skip
    six = Packet(
        "tcp", "2001:db8:1111:2222:3333:4444:5555:6666", 65535, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", 65535
    )
    evil = Path(
        "wrong-server", "local-listener",
        (Hop(f"external:{SCRIPT}", "request", (Step("made", HOSTILE, {"source": HOSTILE}, six),)),
         Hop("lb:" + "l" * 120, "request", (Step("dnat", "", {}, Packet("tcp", six.src, 1, six.dst, 2)),)),
         Hop("node:节点-上海-一号机房-生产环境", "request", (Step("accepted", "LOCAL_IN", {"port": "1"}, six),))),
        share=0.2, values={"process": HOSTILE},
    )  # fmt: skip
    source, target = Source("node", "node-a"), Target(VIP, 443)
    return Trace(source, target, (good, lost, evil), verdict("mixed"))


def remedies() -> tuple[Remedy, ...]:
    yaml = (
        f'apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  annotations:\n    note: "{SCRIPT}"\n'
        "spec:\n  externalTrafficPolicy: Cluster\n"
    )
    annotate = "kubectl -n shop annotate service web example.com/hostname=web.example.com"
    return (
        Remedy(
            "F2", {"service": "shop/web"},
            (Change("command", annotate, "change.annotate"),),
            (Prerequisite("controller-version", "not-met", {"version": "2.2.0"}), Prerequisite("dns", "unknown")),
            ("status-has-hostname",), (), ("javascript:alert(1)",),
        ),
        Remedy(
            "F1", {"service": "shop/web"},
            (Change("yaml", yaml, "change.no-such"), Change("text", "Apply it in a quiet hour.\nTell the owners.")),
            (Prerequisite("no-source-ip", "unknown", {"service": SCRIPT}), Prerequisite("service-exists", "met")),
            ("source-ip-lost", "extra-hop"), (Change("command", "curl -sv https://203.0.113.10/"),),
            ("https://kubernetes.io/docs/concepts/services-networking/service/", "cloud controller notes"), True,
        ),
    )  # fmt: skip


def snapshot(nodes: tuple[str, ...] = NODES) -> Snapshot:
    tables = {name: schema.empty() for name, schema in TABLES.items()}
    captures = ("ipvsadm", "ip-addr", "ip-route", "ip-rule", "iptables", "ipset", "conntrack", "sockets", "sysctl")
    states = ("rows", "rows", "rows", "empty", "rows", "failed", "rows", "rows", "rows")
    rows = [
        {"node": node, "capture": capture, "state": state, "complete": capture != "conntrack", "rows": 12, "notes": 1,
         "file": f"nodes/{node}/{capture}.txt", "detail": "permission denied" if state == "failed" else None}
        for number, node in enumerate(nodes)
        for index, (capture, state) in enumerate(zip(captures, states, strict=True))
        if number == 0 or (number + index) % 4
    ]  # fmt: skip
    rows.append({"capture": "objects", "state": "rows", "complete": True, "rows": 40, "file": "cluster/services.json"})
    rows.append({"state": "ignored", "file": f"x/{HOSTILE}.png", "detail": "not text"})
    tables["captures"] = TABLES["captures"].frame(rows)
    tables["parse_notes"] = TABLES["parse_notes"].frame(
        {"node": nodes[0], "reason": reason, "text": f"{HOSTILE} line {line}", "detail": "no such column",
         "file": f"nodes/{nodes[0]}/ipset.txt", "line": line}
        for reason in ("unparsed", "masked") for line in range(1, 70)
    )  # fmt: skip
    split = [service.split("/", 1) for service in SERVICES if service]
    tables["services"] = TABLES["services"].frame(
        {"namespace": namespace, "name": name, "type": "LoadBalancer", "cluster_ips": "192.0.2.10", "ingress_ips": VIP,
         "external_policy": "Local", "file": "cluster/services.json", "line": 4}
        for namespace, name in split
    )  # fmt: skip
    tables["service_ports"] = TABLES["service_ports"].frame(
        {"namespace": namespace, "service": name, "protocol": "tcp", "port": port, "node_port": 30000 + port,
         "file": "cluster/services.json", "line": 9}
        for namespace, name in split for port in range(80, 90)
    )  # fmt: skip
    tables["virtual_servers"] = TABLES["virtual_servers"].frame(
        {"node": nodes[number % len(nodes)], "protocol": "tcp", "address": f"2001:db8::{number}" if number % 3 else VIP,
         "port": number, "scheduler": "rr", "file": "nodes/node-a/ipvsadm-Ln.txt", "line": number + 4,
         "persistence_s": 10800 if number == 3 else None}
        for number in range(1, 260)
    )  # fmt: skip
    tables["real_servers"] = TABLES["real_servers"].frame(
        {"node": nodes[0], "address": f"192.0.2.{number}", "port": 8443, "weight": 1, "vs_line": 5,
         "file": "nodes/node-a/ipvsadm-Ln.txt", "line": 100 + number}
        for number in range(1, 10)
    )  # fmt: skip
    tables["load_balancers"] = TABLES["load_balancers"].frame([{"id": "lb-1", "address": VIP}])
    tables["lb_listeners"] = TABLES["lb_listeners"].frame(
        [{"lb_id": "lb-1", "port": 443, "protocol": "tcp", "status": "running", "server_group": "rsp-1"}]
    )
    tables["lb_backends"] = TABLES["lb_backends"].frame(
        [{"server_group": "rsp-1", "server_id": "i-1", "port": 30443, "weight": 100}]
    )
    tables["versions"] = TABLES["versions"].frame([{"component": "server", "version": "v1.28.3"}])
    proof = (Evidence("nodes/node-a/iptables-save.txt", 33),)
    regimes = {
        node: Regime(node, {
            "proxy_mode": Fact("ipvs", "state", proof),
            "kubernetes_version": Fact("1.28.3" if number < 2 else "1.22.0", "object"),
            "local_fallback": Fact("all", "version"),
            "masquerade": Fact("cluster-cidr 192.0.2.0/24", "state", proof),
            "cni": Fact(HOSTILE if number == 3 else "terway", "assumed"),
        })
        for number, node in enumerate(nodes)
    }  # fmt: skip
    return Snapshot(
        source=f"bundle {SCRIPT}.tar.gz", layout="native", digest="ab" * 32, tables=tables, node_names=nodes,
        captured={},
        regimes=regimes, read_line=lambda file, line: f"  -A KUBE-SERVICES {HOSTILE} {file}:{line}",
    )  # fmt: skip


def failing() -> tuple[tuple[str, str], ...]:
    """Some cells of the matrix that are refused."""
    refused = [
        (str(source), str(target)) for (source, target), one in matrix(24, 9).cells.items() if one.outcome == "refused"
    ]
    return tuple(refused[:6])


def findings() -> tuple[Finding, ...]:
    values = {
        "service": SERVICES[1], "vip": VIP, "port": "443", "node": NODES[2], "count": "3", "n": "3", "process": HOSTILE,
        "x": "{y}", "listener": SCRIPT,
    }  # fmt: skip
    proof = (
        Evidence("nodes/node-a/ipvsadm-Ln.txt", 12, "TCP  203.0.113.10:443 rr"),
        Evidence("nodes/node-a/ss-lnt.txt", 7, node="node-a"),
        Evidence(f"nodes/{SCRIPT}/x.txt", 0),
    )
    many = tuple(f"pod:shop/client-{number}" for number in range(40))
    return (
        Finding(
            "REACH-001", VIP, "critical", values, proof, NODES, SERVICES[:3], many, (f"{VIP}:443/tcp",), "S1",
            fixes=("F1", "F2"), example=trace(), cells=failing(),
        ),
        Finding(
            "REACH-002", HOSTILE, "critical", values, proof[:1], (NODES[1],), ("shop/web",), many[:3],
            situation="S3", confidence="medium",
        ),
        Finding("REACH-007", "b", "warning", values, proof * 12, (NODES[0],), confidence="low"),
        Finding("DRIFT-001", "c", "warning", values, proof[:2], NODES[:2], (SERVICES[2],)),
        Finding("REACH-009", "d", "notice", values),
        Finding("INPUT-001", "e", "info", values),
    )  # fmt: skip


def drift() -> tuple[Drift, ...]:
    proof = (Evidence("nodes/node-a/ipvsadm-Ln.txt", 12, "TCP  203.0.113.10:443 rr", "node-a"),)
    return (
        *(
            Drift("real-server-stale", node, "shop/web", "tcp/192.0.2.10:80", "192.0.2.8:8443", proof)
            for node in NODES[:3]
        ),
        Drift("flags-differ", SCRIPT, f"evil/{HOSTILE}", "tcp/192.0.2.10:80", HOSTILE, proof, "rr", "wrr", True),
    )


def analysis(rows: int = 24, columns: int = 9) -> Analysis:
    skipped = (Skipped("DRIFT-004", ("node-b ipset", SCRIPT)), Skipped("REACH-011", ("cloud documents",)))
    cells = matrix(rows, columns)
    grouped = classes(cells)
    traces = {
        (str(grouped.columns[column][0].source), str(grouped.rows[row][0].target)): trace()
        for row, column in grouped.cells
    }
    return Analysis(
        snapshot(), cells, Findings(findings(), skipped), {("REACH-001", VIP): remedies()}, "0.1.0", drift=drift(), compared=3,
        traces=dict(list(traces.items())[:60]), rule_set=(93, "0123456789abcdef"),
        meta={"ticket": f"T-1 {SCRIPT}", "customer": "示例公司", "note": HOSTILE}, options=("--apply 'k8s=1.28'",),
    )  # fmt: skip
