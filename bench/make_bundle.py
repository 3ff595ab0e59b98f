#!/usr/bin/env python3
"""Write synthetic captures for the benchmarks. Only the standard library is used; the same options give the same bytes.

    make_bundle.py conntrack --rows 1000000 --out conntrack.txt
    make_bundle.py ipvsadm --services 4000 --out ipvsadm.txt
    make_bundle.py services --count 5000 --out services.json
    make_bundle.py pods --count 20000 --out pods.json

The numbers are invented; the mixture of rows is meant to look like a busy node's of a cluster in IPVS mode.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

TCP_STATES = (
    ("TIME_WAIT", 120, 55),
    ("ESTABLISHED", 86400, 35),
    ("CLOSE_WAIT", 60, 4),
    ("FIN_WAIT", 120, 2),
    ("LAST_ACK", 30, 2),
    ("CLOSE", 10, 2),
)
NODE = "10.0.4.141"


def dotted(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _address(base: str, offset: int) -> str:
    a, b, c, d = (int(part) for part in base.split("."))
    return dotted((a << 24 | b << 16 | c << 8 | d) + offset)


def conntrack(rows: int, seed: int, bad: float = 0.0, layouts: str = "plain") -> Iterator[str]:
    """Rows of ``conntrack -L``: TCP, UDP and a little ICMP; to ClusterIPs and load-balancer addresses (DNAT, some with
    SNAT), direct between pods, unreplied. "mixed" `layouts`: accounting on a third of the rows and zones on another.
    """
    rng = random.Random(seed)
    pods = [_address("10.64.0.0", rng.randrange(1 << 16)) for _ in range(20_000)]
    clients = [_address("198.18.0.0", rng.randrange(1 << 16)) for _ in range(20_000)]
    vips = [
        (_address("172.21.0.0", 16 + i) if i % 5 else _address("203.0.113.0", i // 5 % 254 + 1)) for i in range(2_000)
    ]
    backends = [[rng.choice(pods) for _ in range(5)] for _ in vips]
    names, limits, weights = zip(*TCP_STATES, strict=True)
    for number in range(rows):
        if bad and rng.random() < bad:
            yield rng.choice(
                ("tcp      6 431", "garbage", "tcp      6 x TIME_WAIT src=192.0.2.1 dst=192.0.2.2", "-- cut here --")
            )
            continue
        kind = rng.random()
        port = rng.randrange(1024, 65536)
        which = rng.randrange(len(vips))
        client = rng.choice(clients if kind < 0.3 else pods)
        vip, server = vips[which], rng.choice(backends[which])
        if rng.random() < 0.15:  # direct, no translation
            vip = server = rng.choice(pods)
        back, back_port = (NODE, rng.randrange(1024, 65536)) if rng.random() < 0.4 else (client, port)
        counters = ""
        if layouts == "mixed" and number % 3 == 1:
            counters = f"packets={rng.randrange(1, 5000)} bytes={rng.randrange(60, 9_000_000)} "
        zone = "zone=7 " if layouts == "mixed" and number % 3 == 2 else ""
        if kind > 0.99:
            ident = rng.randrange(65536)
            yield (
                f"icmp     1 {rng.randrange(30)} src={client} dst={server} type=8 code=0 id={ident} {counters}"
                f"src={server} dst={client} type=0 code=0 id={ident} {counters}mark=0 {zone}use=1"
            )
            continue
        if kind > 0.85:
            vip_port, server_port, head = 53, 53, f"udp      17 {rng.randrange(180)} "
            assured = rng.random() < 0.3
        else:
            vip_port, server_port = (80, 443, 8443)[which % 3], (8080, 8443, 9000)[which % 3]
            at = rng.choices(range(len(names)), weights)[0]
            head, assured = f"tcp      6 {rng.randrange(limits[at])} {names[at]} ", True
        unreplied = ""
        if rng.random() < 0.04:
            unreplied, assured = "[UNREPLIED] ", False
            if head[0] == "t":
                head = f"tcp      6 {rng.randrange(120)} SYN_SENT "
        if vip == server:
            server_port = vip_port
        yield (
            f"{head}src={client} dst={vip} sport={port} dport={vip_port} {counters}{unreplied}"
            f"src={server} dst={back} sport={server_port} dport={back_port} {counters}"
            f"{'[ASSURED] ' if assured else ''}mark=0 {zone}use={1 + (rng.random() < 0.02)}"
        )


def ipvsadm(services: int, seed: int, endpoints: int = 5) -> Iterator[str]:
    """``ipvsadm -Ln``: `services` virtual servers with five real servers each."""
    rng = random.Random(seed)
    yield "IP Virtual Server version 1.2.1 (size=4096)"
    yield "Prot LocalAddress:Port Scheduler Flags"
    yield "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn"
    for i in range(services):
        sticky = " persistent 10800" if i % 40 == 0 else ""
        yield f"{('TCP', 'UDP')[i % 20 == 0]}  {_address('172.21.0.0', 16 + i)}:{(80, 443)[i % 2]} rr{sticky}"
        for _ in range(endpoints):
            server = f"{_address('10.64.0.0', rng.randrange(1 << 16))}:{8080 + i % 2}"
            yield f"  -> {server:<28} Masq    1      {rng.randrange(400):<10} {rng.randrange(4000):<10}"


def _object(kind: str, name: str, namespace: str, **parts: object) -> dict[str, object]:
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"{kind}-{namespace}-{name}",
        "resourceVersion": "1",
        "creationTimestamp": "2024-05-06T07:08:09Z",
        "labels": {"app": name, "team": namespace, "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace},
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **parts}


def services(count: int, seed: int) -> Iterator[dict[str, object]]:
    rng = random.Random(seed)
    for i in range(count):
        name, address = f"svc-{i:05d}", _address("172.21.0.0", 16 + i)
        ports = [
            {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080},
            {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 8443},
        ]
        spec: dict[str, object] = {
            "clusterIP": address,
            "clusterIPs": [address],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": ports,
            "selector": {"app": name},
            "sessionAffinity": "None",
            "type": "ClusterIP",
        }
        status: dict[str, object] = {"loadBalancer": {}}
        if rng.random() < 0.2:
            spec.update(type="LoadBalancer", externalTrafficPolicy=rng.choice(("Local", "Cluster")))
            for at, port in enumerate(ports):
                port["nodePort"] = 30000 + (2 * i + at) % 2768
            status = {"loadBalancer": {"ingress": [{"ip": _address("203.0.113.0", i % 254 + 1)}]}}
        yield _object("Service", name, f"team-{i % 40:02d}", spec=spec, status=status)


def pods(count: int, seed: int) -> Iterator[dict[str, object]]:
    rng = random.Random(seed)
    stamp = "2024-05-06T07:08:09Z"
    for i in range(count):
        name, node, address = f"svc-{i // 5:05d}-{i % 5}", f"node-{rng.randrange(100):03d}", _address("10.64.0.0", i)
        mounts = [{"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": "token", "readOnly": True}]
        environment = [{"name": f"SETTING_{at}", "value": f"value of the setting number {at}"} for at in range(24)]
        container = {
            "name": "app",
            "image": f"registry.example/app:{i % 50}",
            "imagePullPolicy": "IfNotPresent",
            "env": environment,
            "ports": [
                {"name": "http", "containerPort": 8080, "protocol": "TCP"},
                {"containerPort": 8443, "protocol": "TCP"},
            ],
            "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "volumeMounts": mounts,
        }
        tolerations = [
            {"effect": "NoExecute", "key": f"node.kubernetes.io/{what}", "operator": "Exists", "tolerationSeconds": 300}
            for what in ("not-ready", "unreachable")
        ]
        conditions = [
            {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": stamp}
            for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        ]
        sources = [{"serviceAccountToken": {"path": "token"}}]
        spec = {
            "containers": [container],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": True,
            "nodeName": node,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "serviceAccountName": "default",
            "terminationGracePeriodSeconds": 30,
            "tolerations": tolerations,
            "volumes": [{"name": "token", "projected": {"defaultMode": 420, "sources": sources}}],
        }
        state = {
            "name": "app",
            "image": container["image"],
            "ready": True,
            "restartCount": 0,
            "started": True,
            "state": {"running": {"startedAt": stamp}},
        }
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": "10.0.0.1",
            "startTime": stamp,
            "conditions": conditions,
            "containerStatuses": [state],
        }
        yield _object("Pod", name, f"team-{i % 40:02d}", spec=spec, status=status)


def write_list(items: Iterator[dict[str, object]], path: Path) -> None:
    """As ``kubectl get -o json`` prints it: indented by four."""
    listed = {"apiVersion": "v1", "items": list(items), "kind": "List", "metadata": {"resourceVersion": ""}}
    path.write_text(json.dumps(listed, indent=4) + "\n", encoding="utf-8")


def write_lines(lines: Iterator[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(f"{line}\n" for line in lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, size, default in (
        ("conntrack", "rows", 1_000_000),
        ("ipvsadm", "services", 4_000),
        ("services", "count", 5_000),
        ("pods", "count", 20_000),
    ):
        sub = kinds.add_parser(kind)
        sub.add_argument(f"--{size}", dest="size", type=int, default=default)
        sub.add_argument("--seed", type=int, default=1)
        sub.add_argument("--out", type=Path, required=True)
        if kind == "conntrack":
            sub.add_argument("--bad", type=float, default=0.0, help="share of bad lines")
            sub.add_argument("--layouts", choices=("plain", "mixed"), default="plain")
    chosen = parser.parse_args(argv)
    if chosen.kind == "conntrack":
        write_lines(conntrack(chosen.size, chosen.seed, chosen.bad, chosen.layouts), chosen.out)
    elif chosen.kind == "ipvsadm":
        write_lines(ipvsadm(chosen.size, chosen.seed), chosen.out)
    else:
        write_list((services if chosen.kind == "services" else pods)(chosen.size, chosen.seed), chosen.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
