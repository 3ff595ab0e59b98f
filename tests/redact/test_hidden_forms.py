"""Names and addresses in forms that hide them: each is replaced, and the scan of the output would find it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.bundle import open_bundle
from analyzer.redact import Mapping, Redactor, Unredactor, verify

KEY = bytes(range(32))
CLUSTER = {
    "cluster/services.json": {
        "kind": "Service", "metadata": {"name": "acmebank", "namespace": "prod-pay"}, "spec": {"clusterIP": "172.21.5.9"},
    },
    "cluster/nodes.json": {
        "kind": "Node", "metadata": {"name": "node10.20.30.41"},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.20.30.41"}]},
    },
    "manifest.json": {
        "format": 1, "commands": [{"argv": ["kubectl", "--context", "megacorp-live", "get"], "file": "cluster/nodes.json"}],
    },
}  # fmt: skip
ADDRESSES = (
    "2: eth0: <UP> mtu 1500\n    link/ether 00:16:3e:aa:bb:cc brd ff:ff:ff:ff:ff:ff\n    inet 10.20.30.41/24 scope global eth0\n"
    "    inet6 2408:4005:3a2::15/64 scope global\n"
)
FORMS = {
    "010.020.030.041": "020.030",
    "0x0a141e29": "a141e29",
    "0xA141E29": "A141E29",
    "2408400503a200000000000000000015": "2408400503a2",
    "v10.20.30.41": "10.20.30.41",
    "node10.20.30.41": "20.30.41",
    "IP 10.20.30.41.443 > 10.20.30.77.51234: Flags [S]": "10.20.30",
    "iso.3.6.1.2.10.20.30.41": "10.20.30.41",
    "http%3A%2F%2F10.20.30.41%3A80%2Facmebank%2Fx": "10.20.30.41",
    "http%3A%2F%2Facmebank.prod": "acmebank",
    "%5B2408:4005:3a2::15%5D:80": "2408:4005",
    "%61cmebank": "%61cmebank",
    "YWNtZWJhbms=": "YWNtZWJhbms",
    "2408-4005-3a2--15.x.pod.cluster.local": "2408-4005",
    "5.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.a.3.0.5.0.0.4.8.0.4.2.ip6.arpa": "2.a.3.0.5.0.0.4.8.0.4.2",
    "0016.3eaa.bbcc": "3eaa.bbcc",
    "pod0f9df7e8_ec7c_938a_a446_ebf448c2fe23.slice": "ec7c_938a",
    "::10.20.30.41": "10.20.30.41",
    "::ffff:10.20.30.42": "10.20.30.42",
    "2408:4005:3a2::10.20.30.41": "2408:4005",
    "33:33:ff:aa:bb:cc": "aa:bb:cc",
    "megacorp live": "megacorp",
}
SECRETS = {
    'PASSWORD: "letmein"': "letmein",
    "token: abcdefgh": "abcdefgh",
    '{"password": "letmein"}': "letmein",
    "secret=12345678": "12345678",
    "pwd=letmein9": "letmein9",
    "ssh: connect to host megabastion-x port 22: Connection refused": "megabastion",
    "wolfgang@10.20.30.41: Permission denied (publickey).": "wolfgang",
}


def _bundle(folder: Path, text: str = "") -> Path:
    files = {name: json.dumps(value) for name, value in CLUSTER.items()}
    files |= {"nodes/n/ip-addr.txt": ADDRESSES, "other/text.txt": text}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return folder


def _learned(bundle: Path) -> Redactor:
    redactor = Redactor(Mapping(KEY))
    with open_bundle(bundle) as opened:
        redactor.learn(opened, "")
        for member in opened.members:
            list(redactor.pieces(member))
    return redactor


@pytest.fixture(scope="module")
def redactor(tmp_path_factory: pytest.TempPathFactory) -> Redactor:
    return _learned(_bundle(tmp_path_factory.mktemp("forms"), "\n".join((*FORMS, *SECRETS))))


@pytest.mark.parametrize(("text", "secret"), [*FORMS.items(), *SECRETS.items()])
def test_it_is_replaced(text: str, secret: str, redactor: Redactor) -> None:
    assert not secret or secret.lower() not in redactor.text(text).lower()


def test_what_a_report_quotes_comes_back(redactor: Redactor) -> None:
    back = Unredactor(redactor.full_mapping())
    for text in (
        "node10.20.30.41",
        "IP 10.20.30.41.443 > 10.20.30.77.51234: Flags [S]",
        "::ffff:10.20.30.42",
        "v10.20.30.41",
        "acmebank/x",
    ):
        assert back.text(redactor.text(text)) == text


@pytest.mark.parametrize("text", [text for text, secret in FORMS.items() if secret])
def test_the_scan_finds_it(text: str, redactor: Redactor, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(f"some line\n{text}\n", "utf-8")
    assert verify(tmp_path, redactor.scanner)
    (tmp_path / "log.txt").write_text(f"some line\n{redactor.text(text)}\n", "utf-8")
    assert not verify(tmp_path, redactor.scanner)


@pytest.mark.parametrize(
    ("file", "text", "secret"),
    [("hostname.txt", "megahost-7\n", "megahost"), ("etc/hosts", "10.20.30.41 megahost megahost.corp.lan\n::1 localhost\n", "megahost"),
     ("kube-proxy-args.txt", "kube-proxy\n--hostname-override=megahost-w1\n--v=2\n", "megahost"),
     ("kube-proxy-args.txt", "kube-proxy\n--master=https://api.megahost.cn:6443\n", "megahost"),
     ("process.json", '{"args": ["--cluster-name", "megahost"]}', "megahost")],
)  # fmt: skip
def test_names_of_hosts_where_no_object_has_them(file: str, text: str, secret: str, tmp_path: Path) -> None:
    bundle = _bundle(tmp_path / "bundle")
    path = bundle / "nodes" / "n" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    assert secret not in _learned(bundle).text(text)


def test_what_only_looks_like_it_stays(redactor: Redactor) -> None:
    for text in (
        "v1.28.3.4", "5.4.3.2.1", "linux 4.19.91-26.al7", "fe80::1%cali19e3779b1", "50%20", "the password is wrong", "0x00004000",
        "2024-01-02-03", "secret not found", '{"token": true, "secret": 12345}', "-----", "NodePort Terminating",
    ):  # fmt: skip
        assert redactor.text(text) == text


def test_the_next_key_of_yaml_is_no_secret(redactor: Redactor) -> None:
    text = "secret:\n    defaultMode: 420\nkind: Secret\nmetadata:\n  token:\n    audience: x\n"
    assert redactor.text(text) == text


def test_a_name_that_stands_in_an_image_is_no_survivor(tmp_path: Path) -> None:
    """Under one key in many, the image of an address has a group like the name of a Service."""
    redactor = _learned(_bundle(tmp_path / "bundle"))
    redactor.book.learn("ff", named=True)
    mac = redactor.scanner.addresses.mac(bytes.fromhex("00163eaabbcc")).hex(":")
    redactor.book.learn(next(one for one in mac.split(":") if not one.isdigit()), named=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.txt").write_text(f"link/ether {mac} brd ff:ff:ff:ff:ff:ff\n", "utf-8")
    assert not verify(tmp_path / "out", redactor.scanner)
