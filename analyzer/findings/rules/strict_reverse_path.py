"""SYS-005: a node drops packets because its reverse-path filter is strict (rp_filter 1) and the way back is another one.

The kernel takes the larger of `conf.all` and `conf.<interface>`; Terway sets 0 on the interfaces it makes. Cause no. 6 of the load
balancer vendor's page on unreachable backends. Sources: Documentation/networking/ip-sysctl.rst; net/ipv4/fib_frontend.c,
__fib_validate_source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys, names, targets, worst
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, records

KEYS = ("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.{}.rp_filter")


@rule("SYS-005", needs=("sysctl",), severities=("warning",), fixes=("F19",), order=40)
def strict_reverse_path(context: Context) -> Iterator[Finding]:
    """Connections that end because a packet comes in by another interface than its answer would leave by."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in context.cells:
        if cell.bad and "rp-filter" in cell.verdict.mechanisms and cell.key not in context.explained:
            path = next((one for one in context.trace(cell).paths if one.mechanism == "rp-filter"), None)
            if path is not None:
                groups[(path.values.get("node", ""), path.values.get("interface", ""))].append(cell)
    frame = context.snapshot["sysctls"]
    for (node, interface), bad in sorted(groups.items()):
        wanted = [key.format(interface.replace(".", "/")) for key in KEYS]
        rows = records(frame[(frame["node"] == node) & frame["key"].isin(wanted)])
        example = context.trace(bad[0])
        yield Finding(
            rule="SYS-005",
            about=f"{node}:{interface}",
            severity="warning",
            values={
                "node": node, "interface": interface, "count": str(len(bad)), "targets": ", ".join(targets(bad)[:6]),
                "settings": ", ".join(f"{row['key']}={row['value']}" for row in rows) or "?",
                "source": worst(example).values.get("address", "?"),
            },
            evidence=context.evidence(example, *(evidence_of(row, node) for row in rows)),
            nodes=(node,),
            services=tuple(dict.fromkeys(cell.row.service for cell in bad if cell.row.service)),
            vantages=names(bad),
            targets=targets(bad),
            situation="S23",
            confidence="medium",
            fixes=("F19",),
            example=example,
            cells=keys(bad),
        )  # fmt: skip
