"""What the collector tests share: running the script, and reading what it wrote."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "collect.sh"
RECORDED = ROOT / "tests/data/lab-truth/1.28.3-flannel-cluster/bundle.tar.gz"


def tool(name: str) -> str:
    """Where a command is, also in the folders that only root's PATH has; empty when it is not installed."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin") or ""


def contents(archive: bytes) -> dict[str, bytes]:
    """The regular files of an archive by their path below its one folder."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        found = {}
        for member in packed.getmembers():
            if member.isfile() and (stream := packed.extractfile(member)):
                found[member.name.split("/", 1)[-1]] = stream.read()
        return found


class Bundle(msgspec.Struct):
    """What one run wrote: the archive, its files, the manifest, and what it said on standard error."""

    path: Path
    files: dict[str, bytes]
    manifest: dict[str, Any]
    said: str

    def command(self, file: str) -> dict[str, Any]:
        (found,) = [one for one in self.manifest["commands"] if one["file"].endswith(file)]
        return found  # type: ignore[no-any-return]

    def node(self, name: str) -> dict[str, Any]:
        (found,) = [one for one in self.manifest["nodes"] if one["node"] == name]
        return found  # type: ignore[no-any-return]


def collect(cwd: Path, *arguments: str | Path, shell: tuple[str, ...] = ("sh",), **environment: str | Path) -> Bundle:
    """Run the script, which must succeed, and read the archive whose path it prints."""
    run = subprocess.run(
        [*shell, str(SCRIPT), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "TMPDIR": str(cwd), **{key: str(value) for key, value in environment.items()}},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()
    path = cwd / run.stdout.decode().strip()
    files = contents(path.read_bytes())
    return Bundle(path, files, json.loads(files["manifest.json"]), run.stderr.decode())


def recorded() -> dict[str, bytes]:
    """Files of a bundle recorded on a cluster."""
    with tarfile.open(RECORDED) as packed:
        return {member.name: stream.read() for member in packed.getmembers() if (stream := packed.extractfile(member))}
