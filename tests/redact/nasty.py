"""A small bundle with every way a name or address was ever written into a capture: the files beside this, and some that are no text."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from pathlib import Path

NODE = "cn-beijing.10.20.30.41"
OTHER = "worker1.10.20.30.42"
MAC = "00:16:3e:aa:bb:cc"
UID = "0f9df7e8-ec7c-938a-a446-ebf448c2fe23"
CERTIFICATE = "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLWdvZXMtaGVyZQ"
NAMES = ("acmebank", "payroll", "checkout", "frontdesk", "jdoe", "jenkins-master", "Wolfgang", "harbor")
ADDRESSES = (
    "10.20.30.41",
    "10.20.30.42",
    "10.20.30",
    "172.22.7.19",
    "8.130.77.3",
    "10-20-30-41",
    "0A141E29",
    "291E140A",
)
OTHERS = ("2408:4005:3a2::15", MAC, MAC.replace(":", "-"), "216:3eff:feaa:bbcc", UID, "bp1q2w3e4r5t6y7u", "hunter2x")
SECRETS = (*NAMES, *ADDRESSES, *OTHERS, CERTIFICATE, JWT, "MTAuMjAuMzAuNDE")


def build(folder: Path) -> Path:
    """Write it below `folder`: the files, and a nested archive, compressed, binary, UTF-16 and Latin-1 members."""
    root = folder / "bundle"
    shutil.copytree(Path(__file__).parent / "bundle", root)
    other = root / "other"
    (other / "checkout.txt.gz").write_bytes(gzip.compress(b"dial 10.20.30.41 of acmebank\n"))
    (other / "core.bin").write_bytes(b"acmebank" + bytes(range(256)) * 40)
    (other / "wide16.txt").write_bytes("acmebank 10.20.30.41\n".encode("utf-16"))
    (other / "latin.txt").write_bytes(b"caf\xe9 acmebank 10.20.30.41\n" + b"plain text line\n" * 20)
    (other / "colour.txt").write_bytes(b"\x1b[31mcheckout\x1b[0m is down\n")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        content = b"checkout 172.22.7.19\n"
        info = tarfile.TarInfo("inner/checkout.txt")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    (other / "payroll.tar.gz").write_bytes(packed.getvalue())
    return root
