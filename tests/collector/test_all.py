"""`collect.sh all` by ssh to a real sshd and by pods of the real kubectl: the bundle answers as the recorded one does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import analyzer
from tests.collector.apiserver import Cluster, Object, serving
from tests.collector.replay import have, node_commands, node_names
from tests.collector.setting import RECORDED, SCRIPT, Bundle, collect, tool
from tests.collector.test_cluster import recorded_objects

BUSYBOX = ("busybox", "ash") if tool("busybox") else ("sh",)
needs_ssh = pytest.mark.skipif(not have("sshd", "ssh", "ssh-keygen"), reason="no sshd here")
needs_kubectl = pytest.mark.skipif(not tool("kubectl"), reason="no kubectl here")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def ssh_options(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Options for an sshd on 127.0.0.2 to 127.0.0.5; which of them was called tells the recorded node."""
    names = node_names()
    find = "case ${SSH_CONNECTION:-} in\n" + "".join(
        f'    *" 127.0.0.{number} "*) NODE={name} ;;\n' for number, name in enumerate(names, 2)
    )
    commands = node_commands(tmp_path, find + "    *) NODE=none ;;\nesac")
    home = tmp_path / "ssh"
    home.mkdir()
    for key in ("host", "user"):
        subprocess.run(
            [tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)], check=True, timeout=20
        )
    port = free_port()
    lines = [
        f"Port {port}", f"HostKey {home}/host", f"AuthorizedKeysFile {home}/user.pub", "StrictModes no", "PidFile none",
        "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
        f"SetEnv PATH={commands} TMPDIR={tmp_path} IPVSCOPE_SBIN= IPVSCOPE_PROC=/nowhere",
        *(f"ListenAddress 127.0.0.{number}" for number in range(2, 6)),
    ]  # fmt: skip
    (home / "config").write_text("\n".join(lines) + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    daemon = subprocess.Popen(
        [tool("sshd"), "-D", "-e", "-f", str(home / "config")], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            if daemon.poll() is not None:
                assert daemon.stderr is not None
                pytest.skip(f"sshd does not start here: {daemon.stderr.read().decode()[-200:]}")
            try:
                socket.create_connection(("127.0.0.2", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield tuple(
            word
            for option in (
                f"Port={port}", f"IdentityFile={home}/user", "IdentitiesOnly=yes", "StrictHostKeyChecking=no",
                f"UserKnownHostsFile={home}/known", "LogLevel=ERROR",
            )
            for word in ("--ssh-option", option)
        )  # fmt: skip
    finally:
        daemon.terminate()
        daemon.wait(10)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(recorded_objects())


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "kubeconfig"
    with serving(cluster, path):
        yield path


def answers(path: Path) -> list[tuple[str, ...]]:
    """Who reaches what, as the walk of a bundle's state says."""
    with analyzer.opened(path) as snapshot:
        frame = analyzer.matrix(analyzer.build_world(snapshot)).frame()
        assert set(snapshot["virtual_servers"]["node"]) == set(snapshot.node_names)
    columns = ["source", "target", "outcomes", "servers", "seen_source_ips", "mechanism", "confidence", "missing"]
    return sorted(tuple(map(str, row)) for row in frame[columns].itertuples(index=False))


def recorded_without_cloud(path: Path) -> Path:
    """The recorded bundle without its load balancers, which no part of `all` asked about."""
    with tarfile.open(RECORDED) as packed, tarfile.open(path, "w") as kept:
        for member in packed.getmembers():
            if not member.name.startswith("cloud/"):
                kept.addfile(member, packed.extractfile(member))
    return path


def analysed(bundle: Bundle) -> subprocess.CompletedProcess[bytes]:
    """The whole way of a user: `ipvscope analyze` on the archive."""
    return subprocess.run(
        [
            sys.executable, "-c", "from analyzer.cli.main import main; main()", "analyze", str(bundle.path),
            "-o", str(bundle.path.parent / "report"), "--no-simulate", "-f", "json",
        ],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
        capture_output=True,
        timeout=120,
        check=False,
    )  # fmt: skip


@needs_ssh
@needs_kubectl
def test_ssh_brings_back_every_node_that_can_be_reached(
    ssh_options: tuple[str, ...], kubeconfig: Path, tmp_path: Path
) -> None:
    names = node_names()
    nodes = [f"{name}=127.0.0.{number}" for number, name in enumerate(names, 2)]
    got = collect(
        tmp_path, "all", "--ssh", "root@" if os.geteuid() == 0 else os.environ.get("USER", ""), *ssh_options,
        "--nodes", ",".join([*nodes, "gone=127.0.0.9"]), "-j", "2", KUBECONFIG=kubeconfig,
    )  # fmt: skip

    assert got.manifest["part"] == "all"
    assert got.manifest["nodes_present"] == names
    assert set(got.manifest["nodes_expected"]) == {*names}
    assert all(got.node(name)["reached"] for name in names)
    assert got.node(names[0])["sent"] <= got.command(f"{names[0]}/ip-addr.txt")["started"]
    gone = got.node("gone")
    assert (gone["reached"], gone["via"]) == (False, "ssh")
    assert "refused" in gone["reason"]
    assert "gone (127.0.0.9): not visited: " in got.said
    assert "4 of 4 nodes done, 1 failed" in got.said
    assert answers(got.path) == answers(recorded_without_cloud(tmp_path / "recorded.tar"))
    with analyzer.opened(got.path) as snapshot:
        captures = snapshot["captures"]
        assert list(captures[captures["state"] == "ignored"]["file"]) == ["manifest.json"]
    run = analysed(got)
    assert run.returncode in (0, 1), run.stderr.decode()
    assert f"{len(names)} nodes" in run.stdout.decode()
    assert (tmp_path / "report" / "report.json").stat().st_size > 1000
    assert not list(tmp_path.glob("ipvscope.*"))


@needs_ssh
def test_a_node_that_only_has_an_address_says_its_name_itself(ssh_options: tuple[str, ...], tmp_path: Path) -> None:
    user = "root@" if os.geteuid() == 0 else os.environ.get("USER", "")
    (tmp_path / "list").write_text("127.0.0.2  # the first\n127.0.0.3\n")
    got = collect(
        tmp_path, "all", "--ssh", user, *ssh_options, "--nodes", "list", "-t", "3", KUBECONFIG=tmp_path / "none"
    )
    assert got.manifest["nodes_present"] == node_names()[:2]
    assert {one["node"] for one in got.manifest["nodes"]} == set(node_names()[:2])
    assert not got.command("services.json")["present"]


def pods_on(cluster: Cluster, tmp_path: Path, **environment: str) -> None:
    """Containers of the cluster's pods are processes here, on the recorded node that the pod is for."""
    commands = node_commands(tmp_path, "")

    def run(pod: Object, argv: list[str]) -> tuple[list[str], dict[str, str]]:
        assert argv[:2] == ["chroot", "/host"]
        return argv[2:], {
            "PATH": str(commands), "NODE": pod["spec"]["nodeName"], "TMPDIR": str(tmp_path), "IPVSCOPE_SBIN": "",
            "IPVSCOPE_PROC": "/nowhere", **environment,
        }  # fmt: skip

    cluster.run_in_pod = run


@needs_kubectl
def test_pods_bring_back_every_node_and_are_gone(cluster: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    pods_on(cluster, tmp_path)
    before = {pod["metadata"]["name"] for pod in cluster.objects["pods"]}
    bad = node_names()[2]

    def starting(pod: Object) -> Object:
        if pod["spec"]["nodeName"] != bad:
            return {"phase": "Running"}
        waiting = {"reason": "ErrImagePull", "message": "no such image"}
        return {"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]}

    cluster.starting_phase = starting
    virtual = json.loads(json.dumps(cluster.objects["nodes"][0]))
    virtual["metadata"] |= {"name": "virtual-1", "labels": {"kubernetes.io/os": "linux", "type": "virtual-kubelet"}}
    cluster.objects["nodes"].append(virtual)
    got = collect(
        tmp_path, "all", "--kubectl", "--image", "mirror.example/busybox:1", shell=BUSYBOX, KUBECONFIG=kubeconfig
    )

    assert got.manifest["nodes_present"] == node_names()[:2]
    assert "ErrImagePull" in got.node(bad)["reason"]
    assert "virtual node" in got.node("virtual-1")["reason"]
    with analyzer.opened(RECORDED) as original, analyzer.opened(got.path) as collected:
        for name in node_names()[:2]:
            for table in ("virtual_servers", "routes", "addresses", "connections"):
                assert len(collected.by_node[name][table]) == len(original.by_node[name][table]) > 0
    assert {pod["metadata"]["name"] for pod in cluster.objects["pods"]} == before
    assert len(cluster.made) == 3
    spec = cluster.made[0]["spec"]
    assert (spec["hostNetwork"], spec["hostPID"], spec["containers"][0]["image"]) == (
        True, True, "mirror.example/busybox:1",
    )  # fmt: skip
    assert spec["containers"][0]["securityContext"] == {"privileged": True}
    assert spec["automountServiceAccountToken"] is False


@needs_kubectl
@pytest.mark.parametrize(
    ("number", "shell"), [(signal.SIGINT, ("sh",)), (signal.SIGTERM, BUSYBOX)], ids=["SIGINT", "SIGTERM"]
)
def test_an_interrupt_leaves_no_pod_and_no_file(
    cluster: Cluster, kubeconfig: Path, tmp_path: Path, number: signal.Signals, shell: tuple[str, ...]
) -> None:
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("the tests themselves run without this signal, and no shell can ask for it back")
    pods_on(cluster, tmp_path, REPLAY_DELAY="20")
    before = {pod["metadata"]["name"] for pod in cluster.objects["pods"]}
    run = subprocess.Popen(
        [*shell, str(SCRIPT), "all", "--kubectl"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "KUBECONFIG": str(kubeconfig)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 60
    while not cluster.asked("exec", "POST") and time.monotonic() < until and run.poll() is None:
        time.sleep(0.1)
    assert cluster.made
    run.send_signal(number)
    out, _ = run.communicate(timeout=60)

    assert (run.returncode, out) == (130, b"")
    assert {pod["metadata"]["name"] for pod in cluster.objects["pods"]} == before
    assert not list(tmp_path.glob("*.tar.gz"))


@needs_kubectl
def test_the_progress_is_one_live_line_on_a_terminal(cluster: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    pods_on(cluster, tmp_path)
    ours, theirs = os.openpty()
    run = subprocess.Popen(
        ["sh", str(SCRIPT), "all", "--kubectl", "--nodes", node_names()[0]],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "KUBECONFIG": str(kubeconfig)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass  # the terminal is closed when the script has ended
    os.close(ours)
    run.communicate(timeout=60)
    assert run.returncode == 0
    assert b"\r\x1b[K0 of 1 nodes done, 0 failed" in shown
    assert node_names()[0].encode() in shown
    assert b"\r\x1b[K1 of 1 nodes done, 0 failed" in shown


def test_all_needs_a_way_to_the_nodes(tmp_path: Path) -> None:
    for arguments in (["all"], ["all", "--ssh", "a@", "--kubectl"], ["all", "--ssh", "-oProxyCommand=x"]):
        run = subprocess.run(
            ["sh", str(SCRIPT), *arguments], cwd=tmp_path, capture_output=True, timeout=20, check=False
        )
        assert run.returncode == 2, arguments
