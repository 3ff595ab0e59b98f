"""Documents of the cloud API: CLB and NLB, as the API prints them and as they get damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.parsers import aliyun_slb, registry
from analyzer.parsers.base import Parsed

CLOUD = Path(__file__).parents[1] / "data" / "lab" / "1.28.3-terway-cluster" / "cloud" / "aliyun"


def cells(parsed: Parsed, table: str, *columns: str) -> list[Any]:
    frame = parsed.tables[table][list(columns)].astype(object)
    rows = list(frame.where(frame.notna(), None).itertuples(index=False, name=None))
    return [row[0] for row in rows] if len(columns) == 1 else rows


def parse(document: Any, name: str = "x.json") -> Parsed:
    text = document if isinstance(document, str) else json.dumps(document)
    return aliyun_slb.parse(text.encode(), name)


BALANCER = {
    "LoadBalancerId": "lb-demo1", "LoadBalancerName": "shared", "LoadBalancerStatus": "active", "Address": "192.0.2.200",
    "AddressType": "intranet", "VpcId": "vpc-demo", "LoadBalancerSpec": "slb.s1.small",
    "Tags": {"Tag": [{"TagKey": "kubernetes.reused.by.user", "TagValue": "true"}]},
}  # fmt: skip


def test_describe_load_balancers() -> None:
    parsed = parse({"RequestId": "A", "TotalCount": 1, "LoadBalancers": {"LoadBalancer": [BALANCER]}})
    assert cells(parsed, "load_balancers", "provider", "id", "name", "address", "address_type", "status", "vpc", "tags") == [(
        "aliyun-clb", "lb-demo1", "shared", "192.0.2.200", "intranet", "active", "vpc-demo",
        '{"kubernetes.reused.by.user":"true"}',
    )]  # fmt: skip


def test_attribute_lists_listeners_once_and_the_default_group() -> None:
    document = {
        **BALANCER,
        "ListenerPorts": {"ListenerPort": [80, 443, 8080]},
        "ListenerPortsAndProtocol": {"ListenerPortAndProtocol": [
            {"ListenerPort": 80, "ListenerProtocol": "tcp", "Description": "k8s/80/web/prod/c0123"},
            {"ListenerPort": 443, "ListenerProtocol": "https", "ListenerForward": "off"}]},
        "ListenerPortsAndProtocal": {"ListenerPortAndProtocal": [
            {"ListenerPort": 80, "ListenerProtocal": "tcp"}, {"ListenerPort": 443, "ListenerProtocal": "https"}]},
        "BackendServers": {"BackendServer": [{"ServerId": "i-9", "ServerIp": "192.0.2.9", "Type": "ecs", "Weight": 100}]},
    }  # fmt: skip
    parsed = parse(json.dumps(document, indent=1))
    assert cells(parsed, "lb_listeners", "lb_id", "port", "protocol", "status", "description") == [
        ("lb-demo1", 80, "tcp", None, "k8s/80/web/prod/c0123"), ("lb-demo1", 443, "https", None, None),
        ("lb-demo1", 8080, None, None, None),
    ]  # fmt: skip
    assert cells(parsed, "lb_backends", "server_group", "lb_id", "server_id", "port", "weight") == [
        (None, "lb-demo1", "i-9", None, 100)
    ]
    assert len(cells(parsed, "load_balancers", "id")) == 1


def test_only_the_misspelt_list_is_there() -> None:
    document = {"LoadBalancerId": "lb-demo1", "ListenerPortsAndProtocal": {"ListenerPortAndProtocal": [
        {"ListenerPort": "80", "ListenerProtocal": "TCP"}]}}  # fmt: skip
    assert cells(parse(document), "lb_listeners", "port", "protocol") == [(80, "tcp")]


def test_listeners_with_their_configuration() -> None:
    parsed = parse({"TotalCount": 2, "Listeners": [
        {"LoadBalancerId": "lb-demo1", "ListenerPort": 80, "ListenerProtocol": "tcp", "Status": "running",
         "BackendServerPort": 0, "VServerGroupId": "rsp-demo1", "Scheduler": "rr", "AclStatus": "off", "AclType": "",
         "TCPListenerConfig": {"PersistenceTimeout": "30", "ProxyProtocolV2Enabled": "false", "FullNatEnabled": "on"}},
        {"LoadBalancerId": "lb-demo1", "ListenerPort": 81, "ListenerProtocol": "http", "Status": "stopped",
         "HTTPListenerConfig": {"ListenerForward": "on", "ForwardPort": 443}}]})  # fmt: skip
    columns = ("port", "port_end", "status", "server_group", "backend_port", "proxy_protocol", "full_nat", "persistence_s",
               "acl_status", "acl_type", "forward_port")  # fmt: skip
    assert cells(parsed, "lb_listeners", *columns) == [
        (80, 80, "running", "rsp-demo1", 0, False, True, 30, "off", None, None),
        (81, 81, "stopped", None, None, None, None, None, None, None, 443),
    ]


def test_health_takes_the_balancer_from_the_file_name() -> None:
    text = """{"RequestId": "C", "BackendServers": {"BackendServer": [
 {"ListenerPort": 80, "Protocol": "tcp", "Port": 30479, "ServerId": "i-1", "ServerIp": "192.0.2.77", "ServerHealthStatus": "normal"},
 {"ListenerPort": 80, "Protocol": "tcp", "Port": 30479, "ServerId": "i-2", "ServerIp": "", "ServerHealthStatus": "abnormal"}]}}
"""
    parsed = parse(text, "cloud/aliyun/DescribeHealthStatus-lb-demo1.json")
    assert cells(parsed, "lb_health", "lb_id", "listener_port", "server_id", "server_ip", "port", "status", "line") == [
        ("lb-demo1", 80, "i-1", "192.0.2.77", 30479, "normal", 2), ("lb-demo1", 80, "i-2", None, 30479, "abnormal", 3),
    ]  # fmt: skip


def test_group_takes_its_id_from_the_file_name() -> None:
    document = {
        "BackendServers": {
            "BackendServer": [{"ServerId": "eni-x", "ServerIp": "10.20.1.7", "Port": "8443", "Type": "eni"}]
        }
    }
    parsed = parse(document, "DescribeVServerGroupAttribute-rsp-demo2.json")
    assert cells(parsed, "lb_backends", "server_group", "server_id", "server_ip", "port", "type") == [
        ("rsp-demo2", "eni-x", "10.20.1.7", 8443, "eni")
    ]


@pytest.mark.parametrize("empty", [{}, "", None, [], {"BackendServer": []}, {"BackendServer": ""}])
def test_a_missing_list_has_many_faces(empty: Any) -> None:
    parsed = parse({"VServerGroupId": "rsp-1", "BackendServers": empty})
    assert parsed.state == "empty"
    assert parsed.complete


def test_nlb() -> None:
    balancer = {"LoadBalancerId": "nlb-demo", "LoadBalancerStatus": "Active", "AddressType": "Intranet",
                "DNSName": "nlb-demo.example", "ZoneMappings": [{"LoadBalancerAddresses": [{"PrivateIPv4Address": "192.0.2.10"}]}],
                "Tags": [{"Key": "ack.aliyun.com", "Value": "c0123"}]}  # fmt: skip
    listener = {"ListenerId": "lsn-demo@443", "LoadBalancerId": "nlb-demo", "ListenerPort": 443, "ListenerProtocol": "TCP",
                "ListenerStatus": "Running", "ListenerDescription": "k8s.443.TCP.web.prod.c0123", "ServerGroupId": "sgp-demo",
                "ProxyProtocolEnabled": False, "StartPort": "", "EndPort": ""}  # fmt: skip
    ranged = {**listener, "ListenerPort": 0, "StartPort": "8000", "EndPort": "8010"}
    server = {
        "ServerId": "i-1",
        "ServerIp": "192.0.2.77",
        "ServerType": "Ecs",
        "Port": 30479,
        "Weight": 100,
        "ServerGroupId": "sgp-demo",
    }
    health = {"ListenerPort": 443, "ListenerProtocol": "TCP", "ServerGroupInfos": [{"NonNormalServers": [
        {"ServerId": "i-2", "ServerIp": "192.0.2.78", "Port": 30479, "Status": "Unhealthy"}]}]}  # fmt: skip
    documents = [
        {"LoadBalancers": [balancer]}, {"Listeners": [listener, ranged]}, {"ServerGroups": [{"ServerGroupId": "sgp-demo"}]},
        {"Servers": [server]}, {"ListenerHealthStatus": [health]},
    ]  # fmt: skip
    parsed = parse("\n".join(json.dumps(document) for document in documents), "nlb-demo.json")
    assert cells(parsed, "load_balancers", "provider", "address", "dns_name", "address_type", "tags") == [
        ("aliyun-nlb", "192.0.2.10", "nlb-demo.example", "intranet", '{"ack.aliyun.com":"c0123"}')
    ]
    assert cells(parsed, "lb_listeners", "port", "port_end", "protocol", "status", "server_group", "proxy_protocol", "line") == [
        (443, 443, "tcp", "running", "sgp-demo", False, 2), (8000, 8010, "tcp", "running", "sgp-demo", False, 2),
    ]  # fmt: skip
    assert cells(parsed, "lb_backends", "server_group", "server_id", "type", "line") == [("sgp-demo", "i-1", "ecs", 4)]
    assert cells(parsed, "lb_health", "lb_id", "listener_port", "protocol", "server_id", "status") == [
        ("nlb-demo", 443, "tcp", "i-2", "abnormal")
    ]
    assert [(note.reason, note.line) for note in parsed.notes] == [("extra", 3)]
    assert parsed.lines.rows == parsed.lines.total == 5


def test_an_error_document_is_a_failed_capture() -> None:
    parsed = parse(
        {"Code": "Forbidden.RAM", "Message": "not authorized", "RequestId": "X"}, "DescribeHealthStatus-lb-1.json"
    )
    assert (parsed.state, [note.reason for note in parsed.notes]) == ("failed", ["error-text"])


def test_masked_address() -> None:
    parsed = parse(
        {"VServerGroupId": "rsp-1", "BackendServers": {"BackendServer": [{"ServerIp": "10.x.1.7", "Port": 80}]}}
    )
    assert cells(parsed, "lb_backends", "server_ip", "port") == [(None, 80)]
    assert [note.reason for note in parsed.notes] == ["masked"]


def test_lab_documents() -> None:
    tables: dict[str, list[Any]] = {"load_balancers": [], "lb_listeners": [], "lb_backends": []}
    columns = {
        "load_balancers": ("id", "address"), "lb_listeners": ("lb_id", "port", "status", "server_group"),
        "lb_backends": ("server_group", "server_ip", "port"),
    }  # fmt: skip
    for path in sorted(CLOUD.glob("*.json")):
        [(form, parsed)] = registry.parse_member(path.read_bytes(), path.name)
        assert form.name == "aliyun-slb"
        assert parsed.notes == ()
        assert parsed.lines.rows == parsed.lines.total
        for name, rows in tables.items():
            rows.extend(cells(parsed, name, *columns[name]))
    assert sorted(tables["load_balancers"]) == [
        ("lb-j6c3e705f3f808e03", "192.168.1.200"), ("lb-j6cab9d8804302c4a", "47.243.247.219"),
        ("lb-j6ce37da0ae57ce77", "192.168.1.201"),
    ]  # fmt: skip
    assert tables["lb_listeners"] == [
        ("lb-j6c3e705f3f808e03", 443, None, None), ("lb-j6c3e705f3f808e03", 80, None, None),
        ("lb-j6c3e705f3f808e03", 443, "running", "rsp-j6c64dc1ba8ca3f5"),
        ("lb-j6c3e705f3f808e03", 80, "running", "rsp-j6c18cadf3fa012b"),
    ]  # fmt: skip
    assert tables["lb_backends"] == [
        ("rsp-j6c18cadf3fa012b", "10.0.2.77", 30745), ("rsp-j6c18cadf3fa012b", "10.0.0.171", 30745),
        ("rsp-j6c18cadf3fa012b", "10.0.4.141", 30745), ("rsp-j6c64dc1ba8ca3f5", "10.0.6.100", 443),
    ]  # fmt: skip
