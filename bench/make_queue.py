#!/usr/bin/env python3
"""Write a queue of small bundles for benchmarks and tests of `ipvscope batch`. The same options give the same bytes.

    make_queue.py --count 10000 --out queue

Each bundle is a cluster of one node in IPVS mode with a few Services: its objects, `ipvsadm -Ln`, `ip addr`,
`iptables-save` and `ipset save`. They differ in names, addresses, number of Services, CNI, version and in what is wrong;
some archives are cut or no archives at all. Beside them, `tickets.csv` is the list of tickets.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import random
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

FAULTS = ("none", "bound-address", "no-endpoint", "server-missing", "node-files-missing")
VERSIONS = ("v1.22.15-aliyun.1", "v1.26.3-aliyun.1", "v1.28.3-aliyun.1", "v1.30.1-aliyun.1")
CNIS = ("terway-eniip", "kube-flannel-ds")
BROKEN_EVERY = 50
"""One archive in so many is cut or no archive."""
IPVS = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
"""
ADDRESSES = """1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000
    inet ADDRESS/24 brd NET.255 scope global eth0
       valid_lft forever preferred_lft forever
3: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default
"""
RULES = """*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
COMMIT
"""


def bundle(number: int, seed: int = 0) -> dict[str, str]:
    """The files of one bundle by path."""
    rng = random.Random(f"{seed}/{number}")
    fault, version, cni = rng.choice(FAULTS), rng.choice(VERSIONS), rng.choice(CNIS)
    node, address = (
        f"cn-hangzhou.10.{number // 250 % 250}.{number % 250}.11",
        f"10.{number // 250 % 250}.{number % 250}.11",
    )
    services, endpoints, listed, bound, members = [], [], [], [], []
    for index in range(rng.randint(1, 3)):
        name, vip, pod = (
            f"app-{number}-{index}",
            f"172.21.{rng.randrange(250)}.{10 + index}",
            f"10.64.{rng.randrange(250)}.{10 + index}",
        )
        port, target = rng.choice((80, 443, 8080)), rng.choice((8080, 9090))
        meta = {"name": name, "namespace": "default", "uid": f"{number}-{index}"}
        lb = (
            f"47.{rng.randrange(1, 250)}.{rng.randrange(250)}.{10 + index}"
            if fault == "bound-address" and not index
            else ""
        )
        spec = {
            "type": "LoadBalancer" if lb else "ClusterIP", "clusterIP": vip, "clusterIPs": [vip], "selector": {"app": name},
            "ports": [{"name": "main", "port": port, "targetPort": target, "protocol": "TCP",
                       **({"nodePort": 30080 + index} if lb else {})}],
        }  # fmt: skip
        status = {"loadBalancer": {"ingress": [{"ip": lb}]} if lb else {}}
        services.append({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec, "status": status})
        empty = fault == "no-endpoint" and not index
        subset = {
            "addresses": [{"ip": pod, "nodeName": node}],
            "ports": [{"name": "main", "port": target, "protocol": "TCP"}],
        }
        endpoints.append(
            {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": [] if empty else [subset]}
        )
        for at in filter(None, (vip, lb)):
            listed.append(f"TCP  {at}:{port} rr\n")
            if not empty and not (fault == "server-missing" and at == vip):
                listed.append(f"  -> {pod}:{target}            Masq    1      0          0\n")
            bound.append(f"    inet {at}/32 scope global kube-ipvs0\n       valid_lft forever preferred_lft forever\n")
        members.append(f"add KUBE-CLUSTER-IP {vip},tcp:{port}\n")
    files = {"cluster/services.json": _items(services), "cluster/endpoints.json": _items(endpoints)}
    described = {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": node},
        "status": {"addresses": [{"type": "InternalIP", "address": address}], "nodeInfo": {"kubeProxyVersion": version}},
    }  # fmt: skip
    files["cluster/nodes.json"] = _items([described])
    agent = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": cni, "namespace": "kube-system"},
        "spec": {},
    }
    files["cluster/daemonsets.json"] = _items([agent])
    if fault != "node-files-missing":
        files[f"nodes/{node}/ipvsadm-Ln.txt"] = IPVS + "".join(listed)
        told = ADDRESSES.replace("ADDRESS", address).replace("NET", address.rpartition(".")[0])
        files[f"nodes/{node}/ip-addr.txt"] = told + "".join(bound)
        files[f"nodes/{node}/iptables-save.txt"] = RULES
        files[f"nodes/{node}/ipset-save.txt"] = (
            "create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536\n" + "".join(members)
        )
    day = 1 + number % 28
    started = f"2025-{1 + number % 12:02}-{day:02}T08:00:00Z"
    manifest = {"format": 1, "started": started, "finished": started, "cluster": f"c{number % 97}", "commands": []}
    files["manifest.json"] = json.dumps(manifest)
    return files


def _items(items: list[dict[str, object]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def packed(files: Mapping[str, str]) -> bytes:
    """A .tar.gz without times."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, compresslevel=6) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for path, text in files.items():
            data = text.encode()
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def archive(number: int, seed: int = 0) -> bytes:
    """One archive of the queue, maybe a broken one."""
    data = packed(bundle(number, seed))
    if number % BROKEN_EVERY == BROKEN_EVERY - 1:
        return random.Random(number).randbytes(500)
    return data[: len(data) // 2] if number % BROKEN_EVERY == BROKEN_EVERY // 2 else data


def write(folder: Path, count: int, seed: int = 0) -> None:
    """The bundles, in folders of 1,000, and tickets.csv."""
    with _opened(folder / "tickets.csv") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("id", "customer", "symptom", "bundle"))
        for number in range(count):
            path = folder / f"{number // 1000:03}" / f"case-{number:05}.tar.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive(number, seed))
            rows.writerow((f"T{number:05}", f"customer {number % 61}", "", path.relative_to(folder)))


def _opened(path: Path) -> io.TextIOWrapper:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8", newline="")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="bundles (default 10,000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    chosen = parser.parse_args(argv)
    write(chosen.out, chosen.count, chosen.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
