"""LB-005: the load balancer's health check calls backends abnormal.

It sends them nothing. Usual causes: 100.64.0.0/10 is dropped on the node, a security group, the check asks another port than the
Service serves, or policy Local and no endpoint on the node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, number, records, text


@rule("LB-005", needs=("cloud",), severities=("critical", "warning"), fixes=("F15",))
def backends_abnormal(context: Context) -> Iterator[Finding]:
    """Clients outside reach fewer backends than there are, or none."""
    grouped: dict[tuple[str, int], list[dict[str, object]]] = defaultdict(list)
    every: dict[tuple[str, int], int] = defaultdict(int)
    for row in records(context.snapshot["lb_health"]):
        key = (text(row["lb_id"]), number(row["listener_port"]) or 0)
        every[key] += 1
        if text(row["status"]) == "abnormal":
            grouped[key].append(row)
    for (lb, port), rows in sorted(grouped.items()):
        places = [f"{text(row['server_ip']) or text(row['server_id'])}:{number(row['port'])}" for row in rows]
        whole = len(rows) == every[(lb, port)]
        address = next((one.address for one in context.world.load_balancers.values() if one.id == lb), "")
        yield Finding(
            rule="LB-005",
            about=f"{address or lb}:{port}",
            severity="critical" if whole else "warning",
            values={
                "lb": lb or "?", "port": str(port), "count": str(len(rows)), "total": str(every[(lb, port)]),
                "backends": ", ".join(places[:6]),
            },
            evidence=context.evidence(None, *(evidence_of(row) for row in rows[:6])),
            targets=(f"{address}:{port}/tcp",) if address else (),
            situation="S16",
            fixes=("F15",),
        )  # fmt: skip
