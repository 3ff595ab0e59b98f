"""A small bundle with every way a name or address was ever written into a capture."""

from __future__ import annotations

import base64
import json
from pathlib import Path

NODE = "cn-beijing.10.20.30.41"
OTHER = "worker1.10.20.30.42"
MAC = "00:16:3e:aa:bb:cc"
UID = "0f9df7e8-ec7c-938a-a446-ebf448c2fe23"
CERTIFICATE = "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLWdvZXMtaGVyZQ"

SECRETS = (
    "acmebank", "payroll", "checkout", "frontdesk", "jdoe", "hunter2x", "10.20.30.41", "10.20.30.42", "10.20.30", "172.22.7.19", "8.130.77.3",
    "10-20-30-41", "0A141E29", "291E140A", "2408:4005:3a2::15", "00:16:3e:aa:bb:cc", "00-16-3e-aa-bb-cc", "216:3eff:feaa:bbcc", UID, "bp1q2w3e4r5t6y7u",
    CERTIFICATE, JWT, "jenkins-master", "Wolfgang", "MTAuMjAuMzAuNDE",
)  # fmt: skip

_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "checkout",
        "namespace": "acmebank-prod",
        "uid": UID,
        "labels": {"app": "checkout", "acmebank.com/owner": "Wolfgang"},
        "annotations": {
            "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id": "lb-bp1q2w3e4r5t6y7u",
            "acmebank.com/notes": 'ask jdoe about "payroll" first',
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": {"clusterIP": "172.22.7.19"}}),
        },
    },
    "spec": {
        "type": "LoadBalancer",
        "clusterIP": "172.22.7.19",
        "selector": {"app": "checkout"},
        "ports": [{"name": "http-web", "port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30080}],
    },
    "status": {"loadBalancer": {"ingress": [{"ip": "8.130.77.3", "hostname": "shop.acmebank.com"}]}},
}
_KUBERNETES = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default"},
    "spec": {"clusterIP": "172.22.0.1", "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
}  # fmt: skip
_GENERIC = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "proxy", "namespace": "default"},
    "spec": {"clusterIP": "172.22.0.77", "ports": [{"port": 443, "protocol": "TCP", "targetPort": 6443}]},
}  # fmt: skip
_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "checkout-5d8f9c7b44-x2k9p",
        "namespace": "acmebank-prod",
        "labels": {"app": "checkout", "team": "payroll"},
    },
    "spec": {
        "nodeName": NODE,
        "containers": [
            {
                "name": "frontdesk",
                "image": "harbor.acmebank.com/payroll/checkout:v1.2.3",
                "env": [
                    {"name": "DB_PASSWORD", "value": "hunter2x"},
                    {"name": "DB", "value": "postgres://jdoe:hunter2x@db.acmebank.com/x"},
                ],
            }
        ],
    },
    "status": {"podIP": "10.20.30.99", "podIPs": [{"ip": "10.20.30.99"}], "phase": "Running"},
}
_NODES = [
    {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "cn-beijing-h"}},
        "spec": {"podCIDR": "10.20.40.0/24", "providerID": "cn-beijing.i-bp1q2w3e4r5t6y7u"},
        "status": {"addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": "jenkins-master"}],
                   "nodeInfo": {"kubeletVersion": "v1.28.3-aliyun.1", "kernelVersion": "5.10.134-16.1.al8.x86_64"}},
    }
    for name, address in ((NODE, "10.20.30.41"), (OTHER, "10.20.30.42"))
]  # fmt: skip

_FILES = {
    "manifest.json": json.dumps({"format": 1, "cluster": "acmebank", "nodes_present": [NODE], "commands": [
        {"node": NODE, "argv": ["ip", "addr"], "file": f"nodes/{NODE}/ip-addr.txt", "present": True, "stderr_tail": "jenkins-master: busy"}]}),
    "cluster/services.json": json.dumps({"apiVersion": "v1", "kind": "List", "items": [_SERVICE, _KUBERNETES, _GENERIC]}, indent=1),
    "cluster/pods.json": json.dumps({"apiVersion": "v1", "kind": "List", "items": [_POD]}),
    "cluster/nodes.json": json.dumps({"apiVersion": "v1", "kind": "List", "items": _NODES}),
    "cluster/configmap-cni.json": json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "eni-config", "namespace": "kube-system"},
        "data": {"eni_conf": json.dumps({"service_cidr": "172.22.0.0/16", "hosts": ["10.20.30.41", "fe80::216:3eff:feaa:bbcc"], "note": "x\nacmebank\n2408:4005:3a2::15"})}}),
    "cluster/pvc.yaml": "kind: X\nmetadata:\n  name: payroll-data\n  annotations:\n    acmebank.com/contact: >-\n      jdoe\n      Wolfgang\n    a: b\n  namespace: acmebank-prod\n",
    "cluster/describe.txt": "Name:              checkout\nNamespace:         acmebank-prod\nLabels:            app=checkout\n                   team=payroll\nIP:                172.22.7.19\n",
    "other/kubeconfig.txt": f"token: {JWT}\npassword=hunter2x\n-----BEGIN CERTIFICATE-----\n{CERTIFICATE}\nQUJD\n-----END CERTIFICATE-----\nserver: https://api.acmebank.com:6443\n",
    "other/wide.txt": "\x1b[31mcheckout\x1b[0m at ip-10-20-30-41.ec2.internal, paymentcheckoutsvc, Checkout, CHECKOUT, 41.30.20.10.in-addr.arpa\n"
                      "\\u0031\\u0030.20.30.41 10.20.30.41, (10.20.30.42) http://10.20.30.41:80/acmebank " + base64.b64encode(b"10.20.30.41").decode() + "\n",
    f"nodes/{NODE}/ip-addr.txt": f"2: eth0: <BROADCAST> mtu 1500\n    link/ether {MAC} brd ff:ff:ff:ff:ff:ff\n    inet 10.20.30.41/24 brd 10.20.30.255 scope global eth0\n"
                                "    inet6 fe80::216:3eff:feaa:bbcc/64 scope link\n    inet6 2408:4005:3a2::15/64 scope global\n",
    f"nodes/{NODE}/ip_vs.txt": "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
                              "TCP  AC160713:0050 rr  \n  -> 0A141E29:1F90      Masq    1      0          0         \n",
    f"nodes/{NODE}/proc-net-tcp.txt": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
                                      "   0: 291E140A:280A 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 31337 1\n",
    f"nodes/{NODE}/netstat.txt": "Proto Recv-Q Send-Q Local Address           Foreign Address         State\ntcp6       0      0 2408:4005:3a2::15:6443  :::*                    LISTEN\n",
    f"nodes/{NODE}/hostname.txt": "jenkins-master\n",
    f"nodes/{NODE}/ip-neigh.txt": f"10.20.30.42 dev eth0 lladdr {MAC} REACHABLE\n00-16-3e-aa-bb-cc\n",
    f"nodes/{NODE}/sysctl.txt": "net.ipv4.vs.conntrack = 1\nnet.ipv4.conf.all.rp_filter = 0\n",
    f"nodes/{OTHER}/ip-route-all.txt": "default via 10.20.30.1 dev eth0\n10.20.30.0/24 dev eth0 proto kernel scope link src 10.20.30.42\n",
    "other/checkout-10.20.30.41.log": "Jan  1 00:00:00 jenkins-master kubelet[1]: pod_uid=" + UID.replace("-", "_") + " v1.28.3 5.10.134-16.1.al8.x86_64\n",
}  # fmt: skip


def build(folder: Path) -> Path:
    """Write it below `folder`, with a nested archive, a compressed and a binary member."""
    import gzip
    import io
    import tarfile

    root = folder / "bundle"
    for path, text in _FILES.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    (root / "other" / "checkout.txt.gz").write_bytes(gzip.compress(b"dial 10.20.30.41 of acmebank\n"))
    (root / "other" / "core.bin").write_bytes(b"acmebank" + bytes(range(256)) * 40)
    (root / "other" / "wide16.txt").write_bytes("acmebank 10.20.30.41\n".encode("utf-16"))
    (root / "other" / "latin.txt").write_bytes(b"caf\xe9 acmebank 10.20.30.41\n" + b"plain text line\n" * 20)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        content = b"checkout 172.22.7.19\n"
        info = tarfile.TarInfo("inner/checkout.txt")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    (root / "other" / "payroll.tar.gz").write_bytes(packed.getvalue())
    return root
