"""REACH-013: a bound load-balancer address whose listeners the bundle does not show."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.lb import bound_on, sharers
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


@rule("REACH-013", needs=("services",), severities=("info",), fixes=("F18",))
def unknown_listeners(context: Context) -> Iterator[Finding]:
    """Ports that only the load balancer knows are refused from inside; which ones exist, cluster objects cannot tell."""
    for address, balancer in sorted(context.world.load_balancers.items()):
        owners = sharers(context, address)
        if balancer.complete or not owners:
            continue
        bound = bound_on(context, address)
        if not bound:
            continue
        served = sorted(context.world.service_ports.get(address, ()))
        state = context.world.state(bound[0])
        yield Finding(
            rule="REACH-013",
            about=address,
            severity="info",
            values={
                "address": address,
                "owners": ", ".join(owners),
                "count": str(len(bound)),
                "ports": ", ".join(f"{protocol}/{port}" for protocol, port in served),
            },  # fmt: skip
            evidence=context.evidence(None, *state.local_evidence(address), balancer.evidence),
            nodes=bound,
            services=owners,
            situation="S1",
            fixes=("F18",),
        )
