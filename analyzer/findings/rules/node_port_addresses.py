"""SVC-008: kube-proxy's nodePortAddresses leave out addresses that clients use, or take in addresses of Services.

Too narrow: no virtual server on the node's own address, every NodePort is refused there. Too wide: a range that covers the addresses on
kube-ipvs0 gives each of them a virtual server for every nodePort. Source: pkg/proxy/util/nodeport_addresses.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys, names
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding.addresses import contains, family_of
from analyzer.snapshot.objects import evidence_of, parts, records


@rule("SVC-008", needs=("services", "proxy_configs", "nodes"), severities=("warning", "notice"), fixes=("F23",))
def node_port_addresses(context: Context) -> Iterator[Finding]:
    """NodePorts are refused on some addresses of the nodes, or bound where nobody wanted them."""
    rows = [row for row in records(context.snapshot["proxy_configs"]) if parts(row["node_port_addresses"])]
    ranges = tuple(dict.fromkeys(one for row in rows for one in parts(row["node_port_addresses"]) if "/" in one))
    if len({parts(row["node_port_addresses"]) for row in rows}) != 1 or not ranges or not context.world.node_ports:
        return
    outside = {
        address: node
        for node, addresses in context.world.node_addresses.items()
        for address in addresses[:1]
        if any(family_of(one.partition("/")[0]) == family_of(address) for one in ranges)
        and not any(contains(one, address) for one in ranges)
    }
    vips = sorted(
        address
        for address in context.world.service_addresses
        if any(one.partition("/")[2] != "0" and contains(one, address) for one in ranges)
    )
    if not outside and not vips:
        return
    cells = [
        cell
        for cell in context.cells
        if cell.bad and cell.row.kind == "node-port" and cell.row.target.address in outside
    ]
    example = context.trace(cells[0]) if cells else None
    yield Finding(
        rule="SVC-008",
        about=",".join(ranges),
        severity="warning" if cells else "notice",
        values={
            "ranges": ", ".join(ranges), "outside": ", ".join(sorted(outside)[:8]) or "-", "vips": ", ".join(vips[:8]) or "-",
            "count": str(len(cells)), "total": str(len(outside)),
        },
        evidence=context.evidence(example, *(evidence_of(row) for row in rows)),
        nodes=tuple(sorted(set(outside.values()))),
        vantages=names(cells),
        targets=tuple(dict.fromkeys(str(cell.row.target) for cell in cells)),
        fixes=("F23",),
        example=example,
        cells=keys(cells),
    )  # fmt: skip
