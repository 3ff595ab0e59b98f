"""collect.sh, run for real with stand-ins for the commands it calls: layout, manifest, secrets, time limits."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "collect.sh"

# All that the script may take from the machine it runs on; everything else is a stand-in or missing.
BORROWED = (
    "awk", "basename", "cat", "cp", "date", "df", "env", "grep", "gzip", "hostname", "id", "mkdir", "mktemp", "mv", "rm",
    "sed", "sh", "sleep", "sort", "tail", "tar", "tr", "uname", "wc",
)  # fmt: skip

STAND_INS = {
    "conntrack": (
        'case "$*" in *ipv6*) exit ;; esac\n'
        "printf 'ipv4     2 tcp      6 115 TIME_WAIT src=192.0.2.1'\n"
        "echo 'conntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown.' >&2\n"
        "echo ' dst=192.0.2.2 sport=1 dport=80'"
    ),
    "ipvsadm": 'echo "ipvsadm $*"',
    "ip": 'echo "ip $*"',
    "ipset": "echo 'create KUBE-CLUSTER-IP hash:ip,port'",
    "iptables": "echo 'iptables v1.8.9 (nf_tables)'",
    "iptables-save": "echo '*nat'; echo COMMIT",
    "iptables-legacy-save": "echo '*filter'; echo COMMIT",
    "ss": "echo Netid; printf 'caf\\303\\251 \"quoted\" back\\\\slash\\ttab\\nsecond line\\n' >&2; exit 3",
    "sysctl": "exit 255",
}

KUBECTL = r"""
case "$*" in
    "config view"*) printf 'demo' ;;
    *"-o name") echo configmap/kube-proxy ;;
    "get nodes -A -o json") printf '%s\n' '{' '    "items": [' '        {' '            "metadata": {' \
        '                "labels": {' '                    "name": "not-this"' '                },' \
        '                "name": "node-a"' '            }' '        },' '        {' '            "metadata": {' \
        '                "name": "node-b"' '            }' '        }' '    ]' '}' ;;
    "get pods -A -o json") printf '%s\n' '{' '    "items": [' '        {' '            "metadata": {' \
        '                "annotations": {' \
        '                    "kubectl.kubernetes.io/last-applied-configuration": "{\"value\":\"SECRET-1\"}\n",' \
        '                    "other": "kept"' '                }' '            },' \
        '            "env": [' '                {' '                    "name": "PASSWORD",' \
        '                    "value": "SECRET-2, \"quoted\","' '                },' '                {' \
        '                    "name": "FROM",' '                    "valueFrom": {' \
        '                        "fieldRef": {' '                            "fieldPath": "spec.nodeName"' \
        '                        }' '                    }' '                }' '            ],' \
        '            "value": "kept, outside env"' '        }' '    ]' '}' ;;
    "get events"*) printf '{\n    "items": [],\n    "kind": "List"\n}\n'; echo 'error: forbidden' >&2; exit 1 ;;
    *eni-config*) printf '%s\n' '{"data": {"eni_conf": "{\n  \"access_key\": \"SECRET-3\",\n  \"access_secret\":\"SECRET-4\",\n  \"vswitches\": {}}"}}' ;;
    *) echo '{"items": []}' ;;
esac
"""  # noqa: E501

ALIYUN = r"""
case "$*" in
    *DescribeVServerGroups*) echo '{"VServerGroups":{"VServerGroup":[{"VServerGroupId":"rsp-1","Name":"a"},{"VServerGroupId": "rsp-2"}]}}' ;;
    *) printf '{"asked": "%s"}\n' "$*" ;;
esac
"""  # noqa: E501

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in BORROWED:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    if found := shutil.which("timeout"):
        (folder / "timeout").symlink_to(found)
    for name, body in {**STAND_INS, "kubectl": KUBECTL, "aliyun": ALIYUN}.items():
        stand_in(folder, name, body)
    return folder


def stand_in(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def collect(commands: Path, tmp_path: Path) -> Run:
    def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
        environment = {"PATH": str(commands), "IPVSCOPE_SBIN": "", "TMPDIR": str(tmp_path), "IPVSCOPE_PROC": "/nowhere"}
        # The script is found by its path, the shell and everything it calls by the PATH above.
        return subprocess.run(
            [str(commands / "sh"), str(SCRIPT), *map(str, arguments)],
            env={**environment, **options.pop("env", {})},
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
            **options,
        )

    return run


def contents(archive: bytes) -> dict[str, bytes]:
    """The regular files of an archive by their path below its one folder."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        roots = {member.name.split("/")[0] for member in packed.getmembers()}
        assert len(roots) == 1
        found = {}
        for member in packed.getmembers():
            if member.isfile() and (stream := packed.extractfile(member)):
                found[member.name.split("/", 1)[1]] = stream.read()
        return found


def written(run: subprocess.CompletedProcess[bytes], cwd: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Files and manifest of the archive whose path the run printed."""
    assert run.returncode == 0, run.stderr
    files = contents((cwd / run.stdout.decode().strip()).read_bytes())
    return files, json.loads(files["manifest.json"])


def entry(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [command for command in manifest["commands"] if command["file"].endswith("/" + name)]
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "busybox"])
def test_every_shell_can_read_it(shell: str) -> None:
    if not (path := shutil.which(shell)):
        pytest.skip(f"no {shell} here")
    call = [path, "sh", "-n"] if shell == "busybox" else [path, "-n"]
    subprocess.run([*call, str(SCRIPT)], check=True, timeout=20)


def test_shellcheck_has_nothing_to_say() -> None:
    if not (path := shutil.which("shellcheck")):
        pytest.skip("no shellcheck here")
    subprocess.run([path, str(SCRIPT), *map(str, SCRIPT.parent.glob("scripts/*.sh"))], check=True, timeout=60)


def test_a_node_is_collected_in_the_native_layout(collect: Run, tmp_path: Path) -> None:
    files, manifest = written(collect("node", "-n", "node-a", "-o", tmp_path / "out"), tmp_path)

    assert files["nodes/node-a/ipvsadm-Ln-stats.txt"] == b"ipvsadm -Ln --stats --exact\n"
    assert files["nodes/node-a/ip-route-all.txt"] == b"ip route show table all\n"
    assert manifest["format"] == 1
    assert manifest["collector_version"] == "0.1.0"
    assert manifest["nodes_present"] == ["node-a"]
    assert manifest["started"] <= manifest["finished"]
    taken = entry(manifest, "ipvsadm-Lnc.txt")
    assert (taken["node"], taken["argv"], taken["exit_code"]) == ("node-a", ["ipvsadm", "-Lnc"], 0)
    for command in manifest["commands"]:
        assert command["present"] == (command["file"] in files)
    assert {path for path in files if path.startswith("nodes/")} <= {c["file"] for c in manifest["commands"]}


def test_a_node_is_not_burdened(collect: Run, commands: Path, tmp_path: Path) -> None:
    for name in ("renice", "ionice"):
        stand_in(commands, name, f'echo "$*" >>"{tmp_path}/{name}"')
    written(collect("node", "-n", "a"), tmp_path)
    assert (tmp_path / "renice").read_text().startswith("-n 19 -p ")
    assert (tmp_path / "ionice").read_text().startswith("-c 3 -p ")
    written(collect("cluster"), tmp_path)  # runs where nobody is served
    assert (tmp_path / "renice").read_text().count("\n") == 1


def test_standard_error_is_kept_apart(collect: Run, tmp_path: Path) -> None:
    files, manifest = written(collect("node", "-n", "a"), tmp_path)

    assert files["nodes/a/conntrack-L-extended.txt"].count(b"\n") == 1
    assert b"shown" not in files["nodes/a/conntrack-L-extended.txt"]
    assert "1 flow entries" in entry(manifest, "conntrack-L-extended.txt")["stderr_tail"]
    # Bytes that JSON or a terminal could trip over are quoted or replaced.
    failed = entry(manifest, "ss-lntup.txt")
    assert failed["stderr_tail"] == 'caf?? "quoted" back\\slash tab\nsecond line'
    assert (failed["exit_code"], failed["present"]) == (3, True)


def test_a_missing_or_silent_command_leaves_no_file(collect: Run, tmp_path: Path) -> None:
    files, manifest = written(collect("node", "-n", "a"), tmp_path)

    missing = entry(manifest, "nft-list-ruleset.txt")
    assert (missing["exit_code"], missing["present"], missing["stderr_tail"]) == (127, False, "nft: not found")
    failed = entry(manifest, "sysctl.txt")
    assert (failed["exit_code"], failed["present"]) == (255, False)
    assert not {"nodes/a/nft-list-ruleset.txt", "nodes/a/sysctl.txt"} & set(files)


def test_an_empty_table_leaves_an_empty_file(collect: Run, commands: Path, tmp_path: Path) -> None:
    stand_in(commands, "ipset", "exit 0")
    files, _ = written(collect("node", "-n", "a"), tmp_path)
    assert files["nodes/a/ipset-save.txt"] == b""


def test_tables_of_the_other_variant_are_taken_where_there_are_any(
    collect: Run, commands: Path, tmp_path: Path
) -> None:
    names = tmp_path / "proc" / "net" / "ip_tables_names"
    names.parent.mkdir(parents=True)
    names.write_text("nat\n")
    proc = {"IPVSCOPE_PROC": str(tmp_path / "proc")}
    files, _ = written(collect("node", "-n", "a", "-o", "one", env=proc), tmp_path)
    assert files["nodes/a/iptables-legacy-save.txt"] == b"*filter\nCOMMIT\n"

    names.write_text("")  # asking would make the kernel set them up
    files, manifest = written(collect("node", "-n", "a", "-o", "two", env=proc), tmp_path)
    assert "nodes/a/iptables-legacy-save.txt" not in files
    assert entry(manifest, "iptables-legacy-save.txt")["skipped"] == "the kernel holds no legacy tables"

    stand_in(commands, "iptables", "echo 'iptables v1.8.9 (legacy)'")
    stand_in(commands, "iptables-nft-save", "echo '*filter'; echo COMMIT")
    files, _ = written(collect("node", "-n", "a", "-o", "three", env=proc), tmp_path)
    assert files["nodes/a/iptables-nft-save.txt"] == b"*filter\nCOMMIT\n"
    assert "nodes/a/iptables-legacy-save.txt" not in files


def test_a_command_that_would_load_a_module_is_not_run(collect: Run, tmp_path: Path) -> None:
    proc, system = tmp_path / "proc", tmp_path / "sys"
    (proc / "sys" / "kernel").mkdir(parents=True)
    (proc / "sys" / "kernel" / "modprobe").write_text("/sbin/modprobe\n")
    (proc / "net").mkdir()
    (proc / "net" / "nf_conntrack").write_text("ipv4 2 tcp 6 1 SYN_SENT src=192.0.2.1 dst=192.0.2.2\n")
    (proc / "modules").write_text("ip_set 61440 3 ip_set_hash_ip, Live 0x0\n")
    (system / "module" / "nf_tables").mkdir(parents=True)
    where = {"IPVSCOPE_PROC": str(proc), "IPVSCOPE_SYS": str(system), "IPVSCOPE_MODULES": str(tmp_path)}
    files, manifest = written(collect("node", "-n", "a", env=where), tmp_path)

    skipped = entry(manifest, "ipvsadm-Ln.txt")
    assert (skipped["exit_code"], skipped["present"], skipped["complete"]) == (None, False, False)
    assert skipped["skipped"] == "module ip_vs is not loaded, and the command would load it"
    assert files["nodes/a/ipset-save.txt"]
    assert files["nodes/a/iptables-save.txt"]
    assert files["nodes/a/conntrack-L-extended.txt"] == (proc / "net" / "nf_conntrack").read_bytes()
    assert entry(manifest, "ss-lntup.txt")["argv"][:2] == ["env", f"PROC_ROOT={proc}"]


def test_what_a_command_prints_is_limited(collect: Run, commands: Path, tmp_path: Path) -> None:
    line = "x" * 99
    stand_in(commands, "ipset", f"while :; do echo {line}; done")
    files, manifest = written(collect("node", "-n", "a", "-s", "1"), tmp_path)

    cut = entry(manifest, "ipset-save.txt")
    assert (cut["truncated"], cut["complete"], cut["present"]) == (True, False, True)
    taken = files["nodes/a/ipset-save.txt"]
    assert (1 << 20) - 100 <= len(taken) <= 1 << 20
    assert taken.endswith(line.encode() + b"\n")
    assert entry(manifest, "iptables-save.txt")["complete"] is True


@pytest.mark.parametrize("four", ["kill -XFSZ $$", "exit 1"])
def test_connections_of_which_a_family_failed_are_not_complete(
    collect: Run, commands: Path, tmp_path: Path, four: str
) -> None:
    entry_line = "ipv4     2 tcp      6 115 TIME_WAIT src=192.0.2.1 dst=192.0.2.2 sport=1 dport=80"
    stand_in(commands, "conntrack", f'case "$*" in *ipv6*) exit 0 ;; esac\necho "{entry_line}"\n{four}')
    _, manifest = written(collect("node", "-n", "a"), tmp_path)
    cut = entry(manifest, "conntrack-L-extended.txt")
    assert (cut["present"], cut["complete"]) == (True, False)


def test_what_reaches_the_size_limit_is_cut_whatever_the_command_says(
    collect: Run, commands: Path, tmp_path: Path
) -> None:
    stand_in(commands, "ipset", f"sh -c 'while :; do echo {'x' * 99}; done'; exit 0")
    _, manifest = written(collect("node", "-n", "a", "-s", "1"), tmp_path)
    cut = entry(manifest, "ipset-save.txt")
    assert (cut["exit_code"], cut["truncated"], cut["complete"]) == (0, True, False)


def test_a_node_has_a_time_of_its_own(collect: Run, commands: Path, tmp_path: Path) -> None:
    stand_in(commands, "ipvsadm", "exec sleep 50")
    run = collect("node", "-n", "a", "-b", "2")
    files, manifest = written(run, tmp_path)
    assert entry(manifest, "ipvsadm-Ln.txt")["timed_out"] is True
    assert entry(manifest, "ipset-save.txt")["skipped"] == "the time for the node was used up"
    assert "nodes/a/ipset-save.txt" not in files
    assert b"who is masqueraded and what kube-proxy refuses is computed" in run.stderr


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_every_shell_runs_it(commands: Path, tmp_path: Path, shell: str) -> None:
    """Busybox also stands for a system where awk, sed, tar and the rest are its own."""
    if not (path := shutil.which(shell)):
        pytest.skip(f"no {shell} here")
    if shell == "busybox":
        applets = set(subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout.split())
        for name in {*BORROWED, "timeout"} & applets:
            (commands / name).unlink(missing_ok=True)
            (commands / name).symlink_to(path)
    stand_in(commands, "ipset", "echo begun; exec sleep 50")
    stand_in(
        commands, "ip", 'echo 1; [ "$*" != addr ] || while :; do echo 0123456789012345678901234567890123456789; done'
    )
    run = subprocess.run(
        [path, *(["ash"] if shell == "busybox" else []), str(SCRIPT), "node", "-n", "a", "-t", "2", "-s", "1"],
        env={"PATH": str(commands), "IPVSCOPE_SBIN": "", "TMPDIR": str(tmp_path), "IPVSCOPE_PROC": "/nowhere"},
        cwd=tmp_path,
        capture_output=True,
        timeout=100,
        check=False,
    )
    files, manifest = written(run, tmp_path)
    assert entry(manifest, "ipset-save.txt")["timed_out"] is True
    assert entry(manifest, "ip-addr.txt")["truncated"] is True
    assert len(files["nodes/a/ip-addr.txt"]) <= 1 << 20
    assert files["nodes/a/ipvsadm-save-n.txt"] == b"ipvsadm -S -n\n"


def test_redaction_is_asked_for_before_anything_is_collected(collect: Run, commands: Path, tmp_path: Path) -> None:
    run = collect("node", "-n", "a", "--redact")
    assert (run.returncode, b"ipvscope redact" in run.stderr, run.stdout) == (2, True, b"")
    stand_in(commands, "ipvscope", '[ "$2" = --help ] || { cat "$2" >/dev/null && echo "redacted" >"$4"; }')
    run = collect("node", "-n", "a", "--redact", "-o", "out/own-name.tar.gz")
    assert (run.returncode, run.stdout) == (0, b"out/own-name.tar.gz\n")
    assert (tmp_path / "out/own-name.tar.gz").read_text() == "redacted\n"
    assert "secret-name" not in collect("node", "-n", "secret-name", "--redact").stdout.decode()
    stand_in(commands, "ipvscope", '[ "$2" = --help ]')
    run = collect("node", "-n", "a", "--redact", "-o", "failed")
    assert (run.returncode, run.stdout, list((tmp_path / "failed").glob("*"))) == (1, b"", [])


def test_output_of_another_shape_is_not_let_through(collect: Run, commands: Path, tmp_path: Path) -> None:
    stand_in(
        commands,
        "kubectl",
        """[ "$1" != get ] || echo '{"items": [{"spec": {"env": [{"name": "A", "value": "SECRET"}]}}]}'""",
    )
    files, manifest = written(collect("cluster"), tmp_path)
    assert b"SECRET" not in b"".join(files.values())
    assert entry(manifest, "pods.json")["skipped"].startswith("not kept: ")


@pytest.mark.parametrize("with_timeout", [True, False])
def test_a_hanging_command_is_cut(collect: Run, commands: Path, tmp_path: Path, with_timeout: bool) -> None:
    stand_in(commands, "ipset", "echo begun; exec sleep 50")
    if not with_timeout:
        (commands / "timeout").unlink(missing_ok=True)
    files, manifest = written(collect("node", "-n", "a", "-t", "1"), tmp_path)

    cut = entry(manifest, "ipset-save.txt")
    assert cut["timed_out"] is True
    assert cut["exit_code"] in (124, 137)
    assert cut["seconds"] < 20
    assert files["nodes/a/ipset-save.txt"] == b"begun\n"
    assert entry(manifest, "iptables-save.txt")["exit_code"] == 0


def test_the_node_is_named_as_its_kubelet_registered_it(collect: Run, tmp_path: Path) -> None:
    for name, other in (("700", "kubelet-helper"), ("900", "kube-proxy")):
        (tmp_path / "proc" / name).mkdir(parents=True)
        (tmp_path / "proc" / name / "comm").write_text(f"{other}\n")
    (tmp_path / "proc" / "900" / "cmdline").write_bytes(b"/usr/local/bin/kube-proxy\0--config=/x\0")
    process = tmp_path / "proc" / "812"
    process.mkdir()
    (process / "comm").write_text("kubelet\n")
    (process / "cmdline").write_bytes(b"/usr/bin/kubelet\0--v=2\0--hostname-override=region.192.0.2.7\0")
    files, manifest = written(collect("node", env={"IPVSCOPE_PROC": str(tmp_path / "proc")}), tmp_path)
    assert manifest["nodes_present"] == ["region.192.0.2.7"]
    arguments = b"/usr/local/bin/kube-proxy\n--config=/x\n"
    assert files["nodes/region.192.0.2.7/kube-proxy-args.txt"] == arguments


def test_a_node_name_cannot_leave_its_folder(collect: Run, tmp_path: Path) -> None:
    files, manifest = written(collect("node", "-n", "../../evil name"), tmp_path)
    assert manifest["nodes_present"] == ["evil_name"]
    assert all(path == "manifest.json" or path.startswith("nodes/evil_name/") for path in files)
    assert collect("node", "-n", "..").returncode == 2


def test_the_archive_can_go_to_standard_output_while_the_script_comes_from_standard_input(
    commands: Path, tmp_path: Path
) -> None:
    # As in `ssh NODE sh -s -- node -o - < collect.sh`: a command that reads its input must not eat the script.
    stand_in(commands, "ipset", "cat")
    with SCRIPT.open("rb") as script:
        run = subprocess.run(
            [str(commands / "sh"), "-s", "--", "node", "-n", "a", "-o", "-"],
            stdin=script,
            env={"PATH": str(commands), "IPVSCOPE_SBIN": "", "TMPDIR": str(tmp_path)},
            capture_output=True,
            timeout=60,
            check=True,
        )
    assert contents(run.stdout)["nodes/a/iptables-save.txt"] == b"*nat\nCOMMIT\n"


def test_the_cluster_part_keeps_secrets_out(collect: Run, tmp_path: Path) -> None:
    files, manifest = written(collect("cluster"), tmp_path)

    assert b"SECRET" not in b"".join(files.values())
    pod = json.loads(files["cluster/pods.json"])["items"][0]
    assert pod["env"][0] == {"name": "PASSWORD", "value": "redacted"}
    assert pod["env"][1]["valueFrom"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}
    assert pod["value"] == "kept, outside env"
    assert pod["metadata"]["annotations"]["other"] == "kept"
    cni = json.loads(json.loads(files["cluster/configmap-cni.json"])["data"]["eni_conf"])
    assert cni == {"access_key": "redacted", "access_secret": "redacted", "vswitches": {}}
    assert "redacted" not in entry(manifest, "pods.json")["argv"]
    assert "env" in entry(manifest, "pods.json")["filtered"]
    assert not any("secret" in " ".join(command["argv"]) for command in manifest["commands"])
    assert (manifest["cluster"], manifest["nodes_expected"]) == ("demo", ["node-a", "node-b"])
    assert entry(manifest, "events.json")["stderr_tail"] == "error: forbidden"
    assert "cluster/events.json" not in files


def test_headers_of_probes_and_credentials_of_a_kubeconfig_are_kept_out(
    collect: Run, commands: Path, tmp_path: Path
) -> None:
    probe = {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "Bearer SECRET-1"}], "path": "/"}}
    pods = json.dumps({"items": [{"spec": {"containers": [{"livenessProbe": probe}]}}]}, indent=4)
    config = "users:\n- user:\n    token: SECRET-2\n    client-key-data: SECRET-3\n    tokenFile: /kept\n"
    (tmp_path / "pods").write_text(pods)
    (tmp_path / "map").write_text(json.dumps({"data": {"kubeconfig.conf": config}}, indent=4))
    stand_in(
        commands, "kubectl",
        f'case "$*" in "get pods"*) cat {tmp_path}/pods ;; *configmap*) cat {tmp_path}/map ;; *) echo "{{}}" ;; esac',
    )  # fmt: skip
    files, _ = written(collect("cluster"), tmp_path)
    assert b"SECRET" not in b"".join(files.values())
    assert (
        json.loads(files["cluster/pods.json"])["items"][0]["spec"]["containers"][0]["livenessProbe"]["httpGet"]["path"]
        == "/"
    )
    assert "tokenFile: /kept" in json.loads(files["cluster/configmap-kube-proxy.json"])["data"]["kubeconfig.conf"]


def test_a_load_balancer_is_described_with_its_server_groups(collect: Run, tmp_path: Path) -> None:
    files, _ = written(collect("cloud-aliyun", "-r", "cn-demo", "lb-1"), tmp_path)

    described = json.loads(files["cloud/aliyun/DescribeLoadBalancerListeners-lb-1.json"])["asked"]
    assert described == "slb DescribeLoadBalancerListeners --RegionId cn-demo --LoadBalancerId.1 lb-1"
    assert {f"cloud/aliyun/DescribeVServerGroupAttribute-rsp-{number}.json" for number in (1, 2)} <= set(files)


def test_parts_merge_into_one_bundle(collect: Run, tmp_path: Path) -> None:
    parts = [
        collect("node", "-n", "node-a"),
        collect("cluster"),
        collect("cloud-aliyun", "lb-1"),
    ]
    archives = [part.stdout.decode().strip() for part in parts]
    files, manifest = written(collect("merge", *archives), tmp_path)

    separate = [written(part, tmp_path)[1]["commands"] for part in parts]
    assert manifest["commands"] == [command for commands in separate for command in commands]
    assert manifest["nodes_expected"] == ["node-a", "node-b"]
    assert manifest["nodes_present"] == ["node-a"]
    assert {path.split("/")[0] for path in files} == {"manifest.json", "nodes", "cluster", "cloud"}


@pytest.mark.parametrize("name", ["../evil", "/evil", "part/../../evil"])
def test_merge_refuses_an_archive_that_leaves_its_folder(collect: Run, tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as bad:
        member = tarfile.TarInfo(name)
        member.size = 1
        bad.addfile(member, io.BytesIO(b"x"))
    run = collect("merge", "bad.tar.gz")
    assert (run.returncode, b"not a part made by collect.sh" in run.stderr) == (1, True)
    assert not list(tmp_path.glob("**/evil"))


def test_merge_refuses_links_and_strangers(collect: Run, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar.gz", "w:gz") as bad:
        member = tarfile.TarInfo("nodes")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc"
        bad.addfile(member)
    (tmp_path / "text.tar.gz").write_text("no archive")
    with tarfile.open(tmp_path / "plain.tar.gz", "w:gz") as plain:
        plain.addfile(tarfile.TarInfo("file"))
    assert [collect("merge", f"{name}.tar.gz").returncode for name in ("link", "text", "plain", "absent")] == [
        1,
        1,
        1,
        2,
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["node", "extra"],
        ["node", "-o"],
        ["node", "-t", "1s"],
        ["node", "-t", "0"],
        ["node", "--help-me"],
        ["node", "-s", "0"],
        ["node", "-b", "12345678"],
        ["node", "--kubectl"],
        ["cluster", "--keep-env"],
        ["cloud-aliyun"],
        ["cloud-aliyun", "lb-1;id"],
        ["cloud-aliyun", "-r", "x y", "lb-1"],
        ["merge"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_exit_code_two(collect: Run, tmp_path: Path, arguments: list[str]) -> None:
    run = collect(*arguments)
    assert run.returncode == 2
    assert run.stdout == b""
    assert not list(tmp_path.glob("*.tar.gz"))


def test_a_folder_that_cannot_be_made_is_exit_code_one(collect: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    run = collect("node", "-n", "a", "-o", "file/below")
    assert run.returncode == 1
    assert b"file/below" in run.stderr


def test_merge_mixes_no_two_captures_of_a_node(collect: Run, tmp_path: Path) -> None:
    one, two = (collect("node", "-n", "node-a", "-o", name).stdout.decode().strip() for name in ("one.tgz", "two.tgz"))
    done = collect("merge", one, two)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"two.tgz: holds nodes/node-a, as an archive before it does" in done.stderr


def test_an_archive_is_whole_or_not_there(collect: Run, commands: Path, tmp_path: Path) -> None:
    (tmp_path / "out.tgz").write_bytes(b"of an earlier run")
    stand_in(commands, "gzip", "head -c 100; exit 1")
    (commands / "head").symlink_to(shutil.which("head") or "")
    done = collect("node", "-n", "a", "-o", "out.tgz")
    assert (done.returncode, done.stdout) == (1, b"")
    assert (tmp_path / "out.tgz").read_bytes() == b"of an earlier run"
    assert not list(tmp_path.glob("*.part"))


def test_an_archive_that_tar_gave_up_is_not_written(collect: Run, commands: Path, tmp_path: Path) -> None:
    real = shutil.which("tar")
    stand_in(commands, "tar", f'{real} "$@"; exit 2')
    done = collect("node", "-n", "a", "-o", "out.tgz")
    assert (done.returncode, done.stdout) == (1, b"")
    assert not list(tmp_path.glob("out.tgz*"))


def test_nothing_is_left_behind(collect: Run, tmp_path: Path) -> None:
    collect("node", "-n", "a", "-o", "out")
    assert not list(tmp_path.glob("ipvscope.*"))
    assert os.listdir(tmp_path / "out") != []


def visited(collect: Run, commands: Path, tmp_path: Path, answer: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """`all` over one node called node-a, whose ssh answers with what the shell text prints."""
    stand_in(commands, "ssh", answer)
    return written(collect("all", "--ssh", "root@", "--nodes", "node-a=192.0.2.1", "-o", "all"), tmp_path)


def test_a_node_named_twice_is_visited_once(collect: Run, tmp_path: Path, commands: Path) -> None:
    part = tmp_path / collect("node", "-n", "node-a").stdout.decode().strip()
    stand_in(commands, "ssh", f"cat >/dev/null; cat {part}")
    run = collect("all", "--ssh", "root@", "--nodes", "node-a=192.0.2.1,node-a=192.0.2.1", "-o", "all")
    _, manifest = written(run, tmp_path)
    assert [(node["node"], node["reached"]) for node in manifest["nodes"]] == [("node-a", True)]


def test_a_node_speaks_for_itself_only(collect: Run, tmp_path: Path, commands: Path) -> None:
    other = tmp_path / collect("node", "-n", "node-b").stdout.decode().strip()
    files, manifest = visited(collect, commands, tmp_path, f"cat >/dev/null; cat {other}")
    assert manifest["nodes"][0]["reason"] == "the answer is of a node called 'node-b'"
    assert manifest["nodes_present"] == []
    assert not [path for path in files if path.startswith("nodes/")]


def test_what_else_a_node_sends_is_left(collect: Run, tmp_path: Path, commands: Path) -> None:
    honest = contents((tmp_path / collect("node", "-n", "node-a").stdout.decode().strip()).read_bytes())
    manifest = honest["manifest.json"].replace(
        b'"node": "node-a", "argv": ["uname"', b'"node": "node-b", "argv": ["uname"'
    )
    more = {**honest, "manifest.json": manifest, "cluster/services.json": b"{}", "nodes/node-b/ip-addr.txt": b"forged"}
    for name, files in (("one", more), ("two", {k: v for k, v in more.items() if not k.startswith("nodes/node-b")})):
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz") as forged:
            for path, content in files.items():
                member = tarfile.TarInfo(f"part/{path}")
                member.size = len(content)
                forged.addfile(member, io.BytesIO(content))
    files, told = visited(collect, commands, tmp_path, f"cat >/dev/null; cat {tmp_path}/one.tar.gz")
    assert told["nodes_present"] == []
    files, told = visited(collect, commands, tmp_path, f"cat >/dev/null; cat {tmp_path}/two.tar.gz")
    assert told["nodes_present"] == ["node-a"]
    assert files["cluster/services.json"] != b"{}"
    assert {command["node"] for command in told["commands"]} == {"", "node-a"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("echo 'no shell for you'", "not a part made by collect.sh"),
        ("echo 'Permission denied (publickey).' >&2; exit 255", "Permission denied (publickey)."),
        ("exit 3", "exit code 3"),
        ("printf '\\033[31mred\\033[0m \"quoted\" \\\\ \\303' >&2; exit 1", '?[31mred?[0m "quoted" \\ ?'),
    ],
)
def test_a_node_that_does_not_answer_is_recorded(
    collect: Run, tmp_path: Path, commands: Path, answer: str, reason: str
) -> None:
    files, manifest = visited(collect, commands, tmp_path, answer)
    (node,) = manifest["nodes"]
    assert (node["node"], node["reached"], node["reason"].strip()) == ("node-a", False, reason)
    assert "cluster/services.json" in files


def test_a_visit_that_is_ended_is_not_waited_for(collect: Run, tmp_path: Path, commands: Path) -> None:
    if not (commands / "timeout").exists():
        pytest.skip("no timeout here: the visit is another ancestor")
    shell = "cat >/dev/null; read -r _ _ _ parent _ </proc/$PPID/stat; kill -TERM $parent; sleep 9"
    _, manifest = visited(collect, commands, tmp_path, shell)
    (node,) = manifest["nodes"]
    assert (node["reached"], node["reason"]) == (False, "the visit was ended")


def test_an_interrupted_node_leaves_nothing(commands: Path, tmp_path: Path) -> None:
    stand_in(commands, "ipset", f"echo >{tmp_path}/running; exec sleep 50")
    run = subprocess.Popen(
        [str(commands / "sh"), str(SCRIPT), "node", "-n", "a"],
        cwd=tmp_path,
        env={"PATH": str(commands), "IPVSCOPE_SBIN": "", "TMPDIR": str(tmp_path), "IPVSCOPE_PROC": "/nowhere"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 60
    while not (tmp_path / "running").exists() and time.monotonic() < until:
        time.sleep(0.05)
    run.terminate()
    out, _ = run.communicate(timeout=30)
    assert (run.returncode, out) == (130, b"")
    assert not list(tmp_path.glob("ipvscope*"))


@pytest.mark.parametrize("may_sudo", [True, False])
def test_another_user_than_root_uses_sudo_where_it_may(
    collect: Run, tmp_path: Path, commands: Path, may_sudo: bool
) -> None:
    stand_in(commands, "id", "echo 1000")
    stand_in(
        commands,
        "sudo",
        f'[ {int(may_sudo)} = 1 ] || exit 1; shift; [ "$1" != true ] || exit 0; echo >{tmp_path}/used; exec "$@"',
    )
    stand_in(commands, "ssh", f'echo "$*" >{tmp_path}/called; for last; do :; done; exec sh -c "$last"')
    run = collect("all", "--ssh", "me", "--ssh-option", "Port=2222", "--nodes", "node-a=192.0.2.1", "-t", "7")
    files, manifest = written(run, tmp_path)

    assert manifest["nodes"][0]["reached"] is True
    assert files["nodes/node-a/iptables-save.txt"] == b"*nat\nCOMMIT\n"
    assert (tmp_path / "used").exists() is may_sudo
    called = (tmp_path / "called").read_text()
    assert called.startswith("-o Port=2222 -o BatchMode=yes ")
    assert "me@192.0.2.1 " in called
    assert "-n node-a -t 7" in called
