"""Load balancers: listeners, backends, health checks, and what the cloud controller reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.findings.edits import edit, edit_json

LB = "lb-j6c3e705f3f808e03"
GROUPS = "DescribeVServerGroupAttribute*"


def listeners(folder: Path, change: Any) -> None:
    for path in (folder / "cloud" / "aliyun").glob("DescribeLoadBalancerListeners*"):
        edit_json(path, change)


def services(folder: Path, change: Any) -> None:
    edit_json(folder / "cluster" / "services.json", change)


def named(document: Any, name: str) -> Any:
    return next(item for item in document["items"] if item["metadata"]["name"] == name)


def no_listener(folder: Path) -> None:
    def no_port_80(document: Any) -> None:
        if "Listeners" in document:
            document["Listeners"] = [one for one in document["Listeners"] if one["ListenerPort"] != 80]
        numbers = document.get("ListenerPorts")
        if numbers:
            numbers["ListenerPort"] = [one for one in numbers["ListenerPort"] if one != 80]
        ports = document.get("ListenerPortsAndProtocol")
        if ports:
            pairs = ports["ListenerPortAndProtocol"]
            ports["ListenerPortAndProtocol"] = [one for one in pairs if one["ListenerPort"] != 80]

    for path in (folder / "cloud" / "aliyun").glob("DescribeLoadBalancer*"):
        edit_json(path, no_port_80)
    edit(folder / "cluster" / "services.json", r'.*force-override-listeners": "true",?\n', "")


def one_sharer_hidden(folder: Path) -> None:
    def publish(document: Any) -> None:
        item = named(document, "nginx-hn-local")
        item["metadata"]["labels"] = dict(named(document, "nginx-hn")["metadata"]["labels"])
        item["status"]["loadBalancer"] = {"ingress": [{"ip": "192.168.1.200"}]}

    services(folder, publish)


def abnormal(folder: Path) -> None:
    rows = [
        {
            "ListenerPort": 80,
            "Port": 30745,
            "Protocol": "tcp",
            "ServerHealthStatus": status,
            "ServerIp": ip,
            "ServerId": "",
        }
        for ip, status in (("10.0.2.77", "abnormal"), ("10.0.0.171", "normal"), ("10.0.4.141", "abnormal"))
    ]
    name = f"cloud/aliyun/DescribeHealthStatus-{LB}.json"
    (folder / name).write_text(json.dumps({"RequestId": "x", "BackendServers": {"BackendServer": rows}}))


def old_node_port(folder: Path) -> None:
    def moved(document: Any) -> None:
        for server in document["BackendServers"]["BackendServer"]:
            if server["Port"] == 30745 and server["ServerIp"] == "10.0.4.141":
                server["Port"] = 31999

    for path in (folder / "cloud" / "aliyun").glob(GROUPS):
        if '"Port": 30745' in path.read_text():
            edit_json(path, moved)


def eip(folder: Path) -> None:
    """The nodes bind the EIP; the load balancer keeps its private address."""
    for path in (*folder.glob("nodes/*/*.txt"), *folder.glob("nodes/*/*.json"), *folder.glob("cluster/*")):
        path.write_text(path.read_text().replace("192.168.1.200", "203.0.113.20"))

    def published(document: Any) -> None:
        annotations = named(document, "nginx")["metadata"].setdefault("annotations", {})
        annotations["service.beta.kubernetes.io/alibaba-cloud-loadbalancer-external-ip-type"] = "eip"

    services(folder, published)


def faces_the_internet(folder: Path) -> None:
    edit(
        folder / "cloud" / "aliyun" / f"DescribeLoadBalancerAttribute-{LB}.json",
        r'"AddressType": "intranet"', '"AddressType": "internet"',
    )  # fmt: skip


def controller_event(folder: Path) -> None:
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "nginx.17a", "namespace": "default"}, "type": "Warning",
        "reason": "UnAvailableLoadBalancer", "message": "There are no available nodes for LoadBalancer", "count": 7,
        "involvedObject": {"apiVersion": "v1", "kind": "Service", "name": "nginx", "namespace": "default"},
        "lastTimestamp": "2024-01-05T03:04:05Z",
    }  # fmt: skip
    (folder / "cluster" / "events.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "EventList", "items": [event]}, indent=1)
    )


def halted(folder: Path) -> None:
    def stop(document: Any) -> None:
        for listener in document.get("Listeners", ()):
            if listener["ListenerPort"] == 80:
                listener["Status"] = "stopped"

    listeners(folder, stop)


def guarded(folder: Path) -> None:
    def guard(document: Any) -> None:
        for listener in document.get("Listeners", ()):
            listener.update(AclStatus="on", AclType="white", AclId="acl-case")

    listeners(folder, guard)


def no_documents(folder: Path) -> None:
    for path in (folder / "cloud" / "aliyun").glob("*.json"):
        path.unlink()


CHANGES = {
    "LB-001": no_listener,
    "LB-002": one_sharer_hidden,
    "LB-005": abnormal,
    "LB-006": old_node_port,
    "LB-007": eip,
    "LB-008": faces_the_internet,
    "LB-009": controller_event,
    "LB-010": halted,
    "LB-011": guarded,
    "REACH-013": no_documents,
}
BASES = {"LB-002": "1.28.3-terway-hostname", "LB-008": "1.28.3-terway-hostname"}
