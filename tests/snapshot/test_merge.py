"""Several captures of one fact on one node: which one fills the table, and that a failed capture is no knowledge."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.bundle import open_bundle
from analyzer.snapshot import Snapshot, load
from tests.forwarding.cases import Cluster, snapshot

LIST = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  203.0.113.10:80 rr persistent 600
  -> 198.51.100.194:8080          Masq    1      7          2
  -> 198.51.100.195:8080          Masq    0      0          1
"""
SAVE = """\
-A -t 203.0.113.10:80 -s rr -p 600
-a -t 203.0.113.10:80 -r 198.51.100.194:8080 -m -w 1
-a -t 203.0.113.10:80 -r 198.51.100.195:8080 -m -w 0
"""
STATS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  203.0.113.10:80                    12       60       50     4000     9000
  -> 198.51.100.194:8080                12       60       50     4000     9000
  -> 198.51.100.195:8080                 0        0        0        0        0
"""
ADDR = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    inet 127.0.0.1/8 scope host lo
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP group default qlen 1000
    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff
    inet 192.0.2.11/24 brd 192.0.2.255 scope global eth0
"""
ADDR_JSON = """[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536,"operstate":"UNKNOWN",
"addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo"}]},
{"ifindex":2,"ifname":"eth0","flags":["BROADCAST","UP"],"mtu":1500,"operstate":"UP",
"addr_info":[{"family":"inet","local":"192.0.2.11","prefixlen":24,"scope":"global","label":"eth0"}]}]
"""
LINK = """\
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP mode DEFAULT group default qlen 1000
    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 68 maxmtu 9000
4: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN mode DEFAULT group default
    link/ether 02:00:00:00:00:04 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 0 maxmtu 0
    dummy addrgenmode eui64 numtxqueues 1 numrxqueues 1
"""
SS = """\
State    Recv-Q   Send-Q     Local Address:Port      Peer Address:Port  Process
LISTEN   0        128              0.0.0.0:443            0.0.0.0:*
"""
SS_PROCESS = """\
Netid  State   Recv-Q  Send-Q  Local Address:Port  Peer Address:Port  Process
tcp    LISTEN  0       128           0.0.0.0:443        0.0.0.0:*      users:(("nginx",pid=7,fd=6))
"""
NETSTAT = """\
Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:443             0.0.0.0:*               LISTEN      7/nginx: master
"""


def of(**captures: str) -> Snapshot:
    return snapshot({f"nodes/n/{name.replace('__', '-')}.txt": text for name, text in captures.items()})


def used(one: Snapshot, file: str) -> str:
    rows = one["captures"]
    return str(rows[rows["file"] == f"nodes/n/{file}"]["detail"].iloc[0])


def test_listing_beats_statistics_and_takes_their_counters() -> None:
    one = of(ipvsadm__Ln=LIST, ipvsadm__Ln__stats=STATS)
    real = one["real_servers"].set_index("address")
    assert len(real) == 2
    assert real["weight"].to_dict() == {"198.51.100.194": 1, "198.51.100.195": 0}
    assert real["active"].loc["198.51.100.194"] == 7
    assert real["conns"].loc["198.51.100.194"] == 12
    assert one["virtual_servers"]["conns"].to_list() == [12]
    assert one["virtual_servers"]["persistence_s"].to_list() == [600]


@pytest.mark.parametrize("other", [SAVE, STATS])
def test_one_fact_is_counted_once(other: str) -> None:
    one = of(ipvsadm__Ln=LIST, ipvsadm__other=other)
    assert (len(one["virtual_servers"]), len(one["real_servers"])) == (1, 2)
    assert one["real_servers"]["active"].notna().any() or "same fact as" in used(one, "ipvsadm-Ln.txt")


def test_save_form_alone_and_beside_statistics() -> None:
    for captures in ({"ipvsadm__save": SAVE}, {"ipvsadm__save": SAVE, "ipvsadm__Ln__stats": STATS}):
        one = of(**captures)
        assert sorted(one["real_servers"]["weight"]) == [0, 1]
        assert one["virtual_servers"]["scheduler"].to_list() == ["rr"]


def test_a_listing_that_failed_leaves_the_save_form() -> None:
    one = of(ipvsadm__Ln="bash: ipvsadm: command not found\n", ipvsadm__save=SAVE)
    assert len(one["real_servers"]) == 2
    assert one.has("n", "ipvsadm")


def test_addresses_of_text_and_json_are_one_fact_and_links_add_kinds() -> None:
    one = of(ip__addr=ADDR, ip__j__addr=ADDR_JSON, ip__d__link=LINK)
    assert one["addresses"]["address"].to_list() == ["127.0.0.1", "192.0.2.11"]
    links = one["interfaces"].set_index("interface")
    assert links.index.is_unique
    assert links["kind"].loc["kube-ipvs0"] == "dummy"
    assert len(of(ip__j__addr=ADDR_JSON)["addresses"]) == 2


def test_links_alone_are_no_addresses() -> None:
    one = of(ip__d__link=LINK)
    assert not len(one["addresses"])
    assert not one.has("n", "ip-addr")


def test_a_bundle_without_interfaces_is_read() -> None:
    files = {path: text for path, text in Cluster().files().items() if "ip-addr" not in path}
    one = snapshot(files)
    assert not len(one["interfaces"])
    assert len(one["virtual_servers"])


@pytest.mark.parametrize(
    "captures",
    [{"ss__lnt": SS, "ss__lntup": SS_PROCESS}, {"ss__lnt": SS, "netstat__lntup": NETSTAT}, {"netstat__lntup": NETSTAT}],
)
def test_the_capture_with_processes_fills_the_listeners(captures: dict[str, str]) -> None:
    one = of(**captures)
    assert len(one["listeners"]) == 1
    assert one["listeners"]["process"].iloc[0].startswith("nginx")


def test_failed_is_not_empty() -> None:
    failed = of(ipvsadm__Ln="ipvsadm: command not found\n", ss__lntup="Cannot open netlink socket: Permission denied\n")
    assert failed.captured.get("n", {}).keys().isdisjoint({"ipvsadm", "sockets"})
    assert set(failed["captures"]["state"]) == {"failed"}
    head = "".join(LIST.splitlines(keepends=True)[:3])
    empty = of(ipvsadm__Ln=head)
    assert empty.has("n", "ipvsadm")
    assert empty.complete("n", "ipvsadm")
    assert not len(empty["virtual_servers"])


def test_loose_files_with_names_that_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LIST)
    (tmp_path / "b.txt").write_text(ADDR)
    for name in ("", "worker-1"):
        with open_bundle(tmp_path, node=name) as bundle:
            one = load(bundle, node=name)
        assert one.node_names == (name or "unnamed",)
        assert one.has(name or "unnamed", "ipvsadm")
        assert one.has(name or "unnamed", "ip-addr")
        assert (len(one["virtual_servers"]), len(one["addresses"])) == (1, 2)


def test_loose_captures_belong_to_the_only_node_object() -> None:
    files = Cluster(nodes=("node-a",), external_ip=True, endpoint="none").files()
    loose = {path.rpartition("/")[2]: text for path, text in files.items()}
    assert snapshot(loose).node_names == ("node-a",)


def test_the_digest_does_not_depend_on_the_order_of_members() -> None:
    files = Cluster().files()
    turned = dict(reversed(files.items()))
    assert snapshot(files).digest == snapshot(turned).digest
    one, other = snapshot(files)["virtual_servers"], snapshot(turned)["virtual_servers"]
    assert set(zip(one["node"], one["address"], one["port"], strict=True)) == set(
        zip(other["node"], other["address"], other["port"], strict=True)
    )
