"""Redaction of whole bundles: nothing of the original is left, the analysis stays the same, the names come back."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.bundle import open_bundle
from analyzer.errors import UsageError
from analyzer.kubeproxy.service_plan import hashed
from analyzer.redact import (
    Leak,
    Mapping,
    Redactor,
    Unredactor,
    new_mapping,
    read_mapping,
    redact,
    verify,
    write_mapping,
)
from analyzer.redact import run as run_module
from tests import lab
from tests.redact import nasty
from tests.redact.picture import picture, sorted_words

KEY = bytes(range(32))
REDACTOR = Redactor(Mapping(KEY, ["acmebank"]))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nasty.build(tmp_path_factory.mktemp("nasty"))


@pytest.fixture(scope="module")
def done(bundle: Path) -> tuple[Path, run_module.Redacted]:
    out = bundle.parent / "out"
    return out, redact(bundle, out, Mapping(KEY))


def _all(out: Path) -> dict[str, str]:
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    return {path.relative_to(out).as_posix(): path.read_bytes().decode("utf-8", "replace") for path in files}


@pytest.mark.parametrize("secret", nasty.SECRETS)
def test_nothing_of_it_is_left_in_any_file_or_name(secret: str, done: tuple[Path, run_module.Redacted]) -> None:
    places = [path for path, text in _all(done[0]).items() if secret.lower() in (path + "\0" + text).lower()]
    assert not places


def test_binary_members_are_dropped_and_named(done: tuple[Path, run_module.Redacted]) -> None:
    assert [one for one in done[1].dropped if "core.bin" in one]
    assert not [path for path in _all(done[0]) if path.endswith(".bin")]


def test_what_the_tools_need_stays(done: tuple[Path, run_module.Redacted]) -> None:
    whole = "\n".join(_all(done[0]).values())
    kept = (
        "v1.28.3-aliyun.1",
        "5.10.134-16.1.al8.x86_64",
        "net.ipv4.vs.conntrack = 1",
        "kube-system",
        "eth0",
        '"kubernetes"',
    )
    for text in (*kept, "cn-beijing-h", "eni-config", "alibaba-cloud-loadbalancer-id", "30080", "ff:ff:ff:ff:ff:ff"):
        assert text in whole, text
    assert "proxy" in done[1].kept  # a Service named as a word of the formats: told, not hidden


def test_one_thing_has_one_image_in_all_its_forms(done: tuple[Path, run_module.Redacted]) -> None:
    files, addresses = _all(done[0]), done[1].mapping.addresses
    image = addresses["10.20.30.41"]
    numbers = [int(one) for one in image.split(".")]
    node = next(path.split("/")[1] for path in files if path.startswith("nodes/cn-beijing."))
    assert node == f"cn-beijing.{image}"
    assert f"inet {image}/24" in files[f"nodes/{node}/ip-addr.txt"]
    assert f"{bytes(numbers).hex().upper()}:1F90" in files[f"nodes/{node}/ip_vs.txt"]
    assert f"{bytes(reversed(numbers)).hex().upper()}:280A" in files[f"nodes/{node}/proc-net-tcp.txt"]
    assert f"ip-{image.replace('.', '-')}.ec2.internal" in files["other/wide.txt"]
    assert f"{'.'.join(map(str, reversed(numbers)))}.in-addr.arpa" in files["other/wide.txt"]
    assert f"{addresses['2408:4005:3a2::15']}:6443" in files[f"nodes/{node}/netstat.txt"]
    inner = json.loads(json.loads(files["cluster/configmap-cni.json"])["data"]["eni_conf"])
    assert inner["hosts"][0] == image
    assert inner["note"].split("\n")[1] == done[1].mapping.replaced["acmebank"]


def test_json_stays_json_and_lines_stay_where_they_are(bundle: Path, done: tuple[Path, run_module.Redacted]) -> None:
    with open_bundle(bundle) as was, open_bundle(done[0]) as image:
        lines = sorted(
            one.read().count(b"\n") for one in was.members if "core.bin" not in one.path and "wide16" not in one.path
        )
        assert lines == sorted(
            one.read().count(b"\n") for one in image.members if one.read() != _sixteen(image.members)
        )
    for path, text in _all(done[0]).items():
        if path.endswith(".json"):
            json.loads(text)


def _sixteen(members: tuple[object, ...]) -> bytes:
    return next(one.read() for one in members if "wide16" in one.path)  # type: ignore[attr-defined]


def test_the_same_key_gives_the_same_bytes(
    bundle: Path, done: tuple[Path, run_module.Redacted], tmp_path: Path
) -> None:
    redact(bundle, tmp_path / "again", done[1].mapping)
    assert _all(tmp_path / "again") == _all(done[0])
    redact(bundle, tmp_path / "other", new_mapping())
    assert _all(tmp_path / "other") != _all(done[0])


def test_archives_are_the_same_bytes_too(bundle: Path, tmp_path: Path) -> None:
    for name in ("a.tar.gz", "b.tar.gz"):
        redact(bundle, tmp_path / name, Mapping(KEY))
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_the_names_come_back(done: tuple[Path, run_module.Redacted]) -> None:
    back = Unredactor(done[1].mapping)
    report = "\n".join(f"{path}\n{text}" for path, text in _all(done[0]).items())
    restored = back.text(report)
    names = (
        nasty.NODE,
        nasty.OTHER,
        "acmebank-prod",
        "checkout-5d8f9c7b44-x2k9p",
        "Checkout",
        "lb-bp1q2w3e4r5t6y7u",
        nasty.UID,
    )
    reverse = ("ip-10-20-30-41.ec2.internal", "41.30.20.10.in-addr.arpa")
    for original in (*names, *reverse, "172.22.0.0/16", "10.20.30.0/24", nasty.MAC, "2408:4005:3a2::15"):
        assert original in restored, original


def test_a_survivor_is_found_wherever_it_hides(
    bundle: Path, done: tuple[Path, run_module.Redacted], tmp_path: Path
) -> None:
    redactor = Redactor(done[1].mapping)
    with open_bundle(bundle) as opened:
        redactor.learn(opened, "")
        for member in opened.members:
            if "core.bin" not in member.path:
                list(redactor.pieces(member))
    assert not verify(done[0], redactor.scanner)
    names = ("in acmebank-staging", "TheAcmeBankApp acmebankapp", "\\u0061cmebank", nasty.UID, nasty.MAC.upper())
    addresses = (
        "x 10.20.30.41 y",
        "ip-10-20-30-41",
        "0A141E29",
        "291E140A",
        "MTAuMjAuMzAuNDE=",
        "[2408:4005:3a2::15]:80",
        "10.99.98.97",
    )
    hidden = (*names, *addresses)
    for number, text in enumerate(hidden):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "log.txt").write_text(f"some line\n{text}\n", "utf-8")
        assert verify(folder, redactor.scanner), text
    (tmp_path / "name" / "acmebank").mkdir(parents=True)
    (tmp_path / "name" / "acmebank" / "nodes.txt").write_text("nothing\n", "utf-8")
    (tmp_path / "name" / "else.txt").write_text("nothing\n", "utf-8")
    assert [one.kind for one in verify(tmp_path / "name", redactor.scanner)] == ["name in the path"]


def test_a_leak_leaves_nothing_behind(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_it_was = run_module.replaced
    monkeypatch.setattr(
        run_module, "replaced", lambda scanner, text: text if "jenkins" in text else as_it_was(scanner, text)
    )
    with pytest.raises(Leak) as caught:
        redact(bundle, tmp_path / "out", Mapping(KEY))
    assert "jenkins" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_mapping_is_for_its_owner_alone(done: tuple[Path, run_module.Redacted], tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_mapping(path, done[1].mapping)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_mapping(path) == done[1].mapping


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 1}', '{"format": 1, "tool": "ipvscope redact", "key": "zz"}', "\x00"]
)
def test_something_else_is_no_mapping(text: str, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(text, "utf-8")
    with pytest.raises(UsageError):
        read_mapping(tmp_path / "m.json")


def test_nothing_is_overwritten_and_nothing_written_into_the_bundle(
    bundle: Path, done: tuple[Path, run_module.Redacted]
) -> None:
    with pytest.raises(UsageError):
        redact(bundle, done[0], Mapping(KEY))
    with pytest.raises(UsageError):
        redact(bundle, bundle / "out", Mapping(KEY))


@pytest.mark.parametrize("case", ["1.22.0-flannel-local", "1.28.3-terway-fault"])
def test_the_analysis_is_the_same(case: str, tmp_path: Path) -> None:
    found = redact(lab.bundle(case), tmp_path / "out", Mapping(KEY))
    back = Unredactor(found.mapping)
    assert sorted_words([back.text(line) for line in picture(tmp_path / "out")]) == sorted_words(
        picture(lab.bundle(case))
    )


def test_chains_named_after_hashes_of_names_become_those_of_the_images(tmp_path: Path) -> None:
    root = nasty.build(tmp_path)
    service, readable = "acmebank-prod/checkout:http-web", "acmebank-prod/checkout/tcp/http-web"
    (root / "nodes" / nasty.NODE / "iptables-save.txt").write_text(
        f"*nat\n:KUBE-SVC-{hashed(service, 'tcp')} - [0:0]\nCOMMIT\n", "utf-8"
    )
    (root / "nodes" / nasty.NODE / "nft.txt").write_text(
        f"chain service-{hashed(readable)[:8]}-{readable} {{\n", "utf-8"
    )
    found = redact(root, tmp_path / "out", Mapping(KEY))
    image = Redactor(found.mapping)
    files = _all(tmp_path / "out")
    node = next(path.split("/")[1] for path in files if path.startswith("nodes/cn-beijing."))
    assert f":KUBE-SVC-{hashed(image.text(service), 'tcp')} - " in files[f"nodes/{node}/iptables-save.txt"]
    assert f"service-{hashed(image.text(readable))[:8]}-{image.text(readable)} " in files[f"nodes/{node}/nft.txt"]


PIECES = st.sampled_from(
    ["10.20.30.41", "acmebank", "\\n", '\\"', '"', ":", "::", "/24", "-", "password=", "annotations", "{", "}", "\n", " ", "eyJhbGciOi",
     "-----BEGIN ",      "\x1b[0m", "\\u0061", "fe80::1", nasty.MAC, "a" * 50, "İ", "\udcff", "255.255.255.0", "0A141E29"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=30))
def test_any_text_is_taken_and_no_line_is_lost(pieces: list[str]) -> None:
    text = "".join(pieces)
    image = REDACTOR.text(text)
    assert image.count("\n") == text.count("\n")
    words = re.findall("[A-Za-z0-9]+", image.lower())
    assert "acmebank" not in words


JSON = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=12), PIECES.filter(lambda one: "\udcff" not in one)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["annotations", "name", "labels", "value", "token"]), inner),
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON, st.booleans())
def test_json_stays_json_also_inside_json(document: object, indented: bool) -> None:
    inner = json.dumps(document, indent=1 if indented else None)
    json.loads(REDACTOR.text(inner))
    json.loads(json.loads(REDACTOR.text(json.dumps({"data": inner})))["data"])
