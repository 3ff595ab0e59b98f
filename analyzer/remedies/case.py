"""One finding seen from the remedies: the Services, addresses, ports and nodes it is about."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import cached_property

from analyzer.errors import UsageError
from analyzer.findings.model import Finding
from analyzer.forwarding import Target, World, parse_target
from analyzer.forwarding.addresses import family_of
from analyzer.forwarding.world import Backend, LbListener
from analyzer.remedies import profiles
from analyzer.remedies.cluster import LABEL_LB_ID, Cluster, cluster_of
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import EndpointAddress, Service, ServicePort, text


@dataclass(frozen=True)
class Case:
    """What a card's builder is given."""

    finding: Finding
    snapshot: Snapshot
    world: World

    @property
    def cluster(self) -> Cluster:
        return cluster_of(self.snapshot)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The finding's targets; a text that is none (a whole address, say) is left out."""
        found = []
        for one in self.finding.targets:
            try:
                found.append(parse_target(one))
            except UsageError:
                continue
        return tuple(dict.fromkeys(found))

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """The addresses dialled, and those named without a port (a finding may be about a whole address)."""
        bare = [one for one in (*self.finding.targets, self.finding.about) if family_of(one)]
        return tuple(dict.fromkeys([*(target.address for target in self.targets), *bare]))

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The Services named by the finding, else those that own the addresses and node ports it dials."""
        by_id = self.snapshot.objects.by_id
        named = [by_id[one] for one in self.finding.services if one in by_id]
        if named:
            return tuple({service.id: service for service in named}.values())
        owners: dict[str, Service] = {}
        for address in self.addresses:
            for owner, _ in self.world.service_addresses.get(address, ()):
                if owner in by_id:
                    owners[owner] = by_id[owner]
            owners.update((service.id, service) for service in self.labelled(address))
        for target in self.targets:
            if (target.protocol, target.port) in self.world.node_ports:
                for service in self.snapshot.objects.services:
                    if any((p.protocol, p.node_port) == (target.protocol, target.port) for p in service.ports):
                        owners[service.id] = service
        return tuple(owners.values())

    @cached_property
    def vips(self) -> tuple[str, ...]:
        """The load-balancer addresses the finding is about, those that are bound or would be."""
        dialled = [
            address
            for address in self.addresses
            if address in self.world.load_balancers
            or any(kind == "load-balancer" for _, kind in self.world.service_addresses.get(address, ()))
        ]
        published = [address for service in self.services for address in service.published]
        ids = {service.labels.get(LABEL_LB_ID) for service in self.services if not service.published} - {None, ""}
        hidden = [address for address, one in self.world.load_balancers.items() if one.id in ids]
        return tuple(one for one in dict.fromkeys(dialled or published or hidden) if family_of(one))

    def binders(self, vip: str) -> tuple[Service, ...]:
        """Services whose status makes kube-proxy bind the address: a published ip without ``ipMode: Proxy``."""
        by_id = self.snapshot.objects.by_id
        owners = [owner for owner, kind in self.world.service_addresses.get(vip, ()) if kind == "load-balancer"]
        return tuple(
            by_id[owner]
            for owner in dict.fromkeys(owners)
            if owner in by_id and any(ip == vip and mode != "Proxy" for ip, mode in by_id[owner].ingress)
        )

    def labelled(self, vip: str) -> tuple[Service, ...]:
        """Services that the cloud controller labelled with the load balancer of the address, published or not."""
        balancer = self.world.load_balancers.get(vip)
        return self.cluster.by_balancer.get(balancer.id, ()) if balancer and balancer.id else ()

    def binders_of(self, service: Service) -> tuple[Service, ...]:
        """Services that bind an address of this Service's load balancer, itself included."""
        lb = service.labels.get(LABEL_LB_ID)
        own = [a for a, one in self.world.load_balancers.items() if a in service.published or (lb and one.id == lb)]
        return tuple({binder.id: binder for address in own for binder in self.binders(address)}.values())

    @cached_property
    def all_binders(self) -> tuple[Service, ...]:
        """All Services that bind one of the addresses."""
        return tuple({service.id: service for vip in self.vips for service in self.binders(vip)}.values())

    @cached_property
    def balanced(self) -> tuple[Service, ...]:
        """The Services of the finding that are of type LoadBalancer."""
        return tuple(service for service in self.services if service.type == "LoadBalancer")

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes the finding names, else those of its vantages, else all."""
        known = set(self.snapshot.node_names) | {node.name for node in self.cluster.nodes}
        named = [node for node in self.finding.nodes if node in known]
        if named:
            return tuple(dict.fromkeys(named))
        seen: list[str] = []
        for vantage in self.finding.vantages:
            kind, _, name = vantage.partition(":")
            pod = self.world.pods.get(name) if kind == "pod" else None
            seen.append(pod.node if pod else name)
        return tuple(dict.fromkeys(node for node in seen if node in known)) or self.snapshot.node_names

    def profile(self, service: Service | None = None, vip: str = "") -> profiles.Profile:
        """The load-balancer product behind a Service or an address, generic when in doubt."""
        if service is not None:
            said = profiles.of_service(service.load_balancer_class, service.annotations)
            if said is not None:
                return said
            if LABEL_LB_ID in service.labels:
                return profiles.CLB
        addresses = (vip,) if vip else service.published if service is not None else ()
        for address in addresses:
            provider = text(self.cluster.balancer_rows.get(address, {}).get("provider"))
            if provider:
                return profiles.NLB if provider == "aliyun-nlb" else profiles.CLB
        if self.cluster.announcers:
            return self.cluster.announcers[0]
        cloud = self.cluster.cloud
        if service is not None and service.annotations.get(profiles.AZURE_NO_FLOATING_IP) == "true":
            return profiles.without_floating_ip(cloud)
        return cloud

    def listener(self, vip: str, port: int, protocol: str) -> LbListener | None:
        balancer = self.world.load_balancers.get(vip)
        return balancer.listener(protocol, port) if balancer else None

    def foreign(self, target: Target) -> bool:
        """A port that no Service serves on that address (rule: every port of a bound address is local)."""
        served = self.world.service_ports.get(target.address)
        return served is not None and (target.protocol, target.port) not in served

    def serving(self, target: Target) -> tuple[Service, ServicePort] | None:
        """The Service and port that a target means: by address and port, or by node port."""
        by_id = self.snapshot.objects.by_id
        owners = [by_id[o] for o, _ in self.world.service_addresses.get(target.address, ()) if o in by_id]
        on_node = target.address in self.world.node_by_address
        labelled = {service.id for service in self.labelled(target.address)}
        for service in (*self.services, *owners):
            addresses = [*service.cluster_ips, *service.external_ips, *service.published]
            if service.id in labelled and not service.published:  # published by name only
                addresses.append(target.address)
            for port in service.ports:
                if port.protocol != target.protocol:
                    continue
                if (target.address in addresses and port.port == target.port) or (
                    on_node and port.node_port == target.port
                ):
                    return service, port
        return None

    def owner_of(self, backend: Backend, protocol: str) -> tuple[Service, ServicePort] | None:
        """The Service of this cluster that a load balancer's backend leads to, None for a server outside."""
        by_id = self.snapshot.objects.by_id
        for one in self.world.endpoint(backend.address, backend.port, protocol):
            service = by_id.get(one.service)
            for port in service.ports if service else ():
                if service and any(e.port == backend.port for e in service.endpoints_of(port, family_of(one.address))):
                    return service, port
        if backend.node:
            for service in self.snapshot.objects.services:
                for port in service.ports:
                    if port.protocol == protocol and port.node_port == backend.port:
                        return service, port
        return None

    def is_internet(self, vip: str) -> bool:
        """Whether the load balancer has a public address: its own description, else the address."""
        described = text(self.cluster.balancer_rows.get(vip, {}).get("address_type"))
        return described == "internet" if described else ipaddress.ip_address(vip).is_global


def ready_nodes(service: Service) -> tuple[str, ...]:
    """Nodes with a ready endpoint of the Service, sorted."""
    return tuple(sorted({one.node for one in service.endpoints if one.ready and one.node}))


def ready_endpoints(service: Service) -> tuple[EndpointAddress, ...]:
    return tuple(one for one in service.endpoints if one.ready)
