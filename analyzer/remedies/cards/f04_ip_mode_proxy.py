"""F4: `ipMode: Proxy` in the Service's status, so that kube-proxy does not bind the address (KEP-1860).

**Helps** as F3 does, where a hostname in the status is not acceptable. **Needs** Kubernetes 1.30 on server and nodes. By
reading of the controller's code a value set by hand stays until the address changes; that was never tried, hence fragile.
"""

from __future__ import annotations

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.checks import delivery_rewritten, listeners_exist, proxy_version, server_version
from analyzer.remedies.effects import Effects, unbound
from analyzer.remedies.model import Remedy
from analyzer.remedies.parts import dial_vips, look_at_unbound, status_of
from analyzer.remedies.words import compact, kubectl, lines, listed
from analyzer.snapshot.objects import Service

SINCE = "1.30"


def build(case: Case) -> Remedy | None:
    """One patch per Service that binds the address; each checks the ip it is about before it changes the entry."""
    services = case.all_binders
    found = {case.profile(service) for service in services}
    if len(found) != 1 or not next(iter(found)).can_unbind:
        return None
    profile = found.pop()
    effects = Effects().add("fragile-ip-mode")
    unbound(case, effects, profile, case.vips)
    values = {
        "services": listed(service.id for service in services), "addresses": listed(case.vips), "provider": profile.title,
        "count": str(len(services)), **effects.values,
    }  # fmt: skip
    return Remedy(
        "F4", values, (lines(*(_patch(service, case.vips) for service in services), title="change.patch-status"),),
        (server_version(case, SINCE), proxy_version(case, SINCE), delivery_rewritten(profile), listeners_exist(case, services)),
        tuple(effects.slugs), (status_of(services), look_at_unbound(case.vips), *dial_vips(case)), (sources.KEP_IP_MODE,),
    )  # fmt: skip


def _patch(service: Service, vips: tuple[str, ...]) -> str:
    """JSON patch. Positions are those of the entries with an ip; the test refuses when hostnames stand between them."""
    operations = []
    for position, (ip, mode) in enumerate(service.ingress):
        if ip in vips and mode != "Proxy":
            path = f"/status/loadBalancer/ingress/{position}"
            operations.append({"op": "test", "path": f"{path}/ip", "value": ip})
            operations.append({"op": "add", "path": f"{path}/ipMode", "value": "Proxy"})
    return kubectl(
        service.namespace, "patch", f"service/{service.name}", "--subresource=status", "--type=json",
        f"--patch={compact(operations)}",
    )  # fmt: skip


CARDS = {"F4": build}
