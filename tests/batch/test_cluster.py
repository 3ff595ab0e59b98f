"""The same batch on a Dask cluster, from and to an S3 server on loopback, while one of its workers is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.batch.queue import batch, command, fill, rows, rows_of, steady

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
COUNT = 8


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """The environment that leads every driver to the S3 server."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    yield {**KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    moto.stop()


@pytest.fixture(scope="module")
def s3(server: dict[str, str], bundles: Path) -> object:
    """A client, with the bundles uploaded."""
    client = boto3.client(
        "s3",
        endpoint_url=server["AWS_ENDPOINT_URL"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        region_name="us-east-1",
    )
    for name in ("queue-in", "queue-out"):
        client.create_bucket(Bucket=name)
    for path in bundles.iterdir():
        client.put_object(Bucket="queue-in", Key=f"queue/{path.name}", Body=path.read_bytes())
    return client


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    fill(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def reference(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the pool."""
    out = tmp_path_factory.mktemp("pool")
    assert batch(bundles, "-o", out, "--no-duckdb", "-r", "html").returncode == 1
    return out


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._environment = {**os.environ, **environment}
        self._folder = folder
        where = folder / "scheduler.json"
        self._scheduler = self._start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(where)
        )
        deadline = time.monotonic() + 60
        while not where.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.address = str(json.loads(where.read_text())["address"])
        # No nanny: what is killed is the process that works.
        self.workers = [
            self._start("dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard")
            for _ in range(2)
        ]

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *arguments], cwd=self._folder, env=self._environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def close(self) -> None:
        for process in (*self.workers, self._scheduler):
            process.kill()
            process.wait()


def records(s3: object, prefix: str) -> dict[str, bytes]:
    """The records and reports under a prefix of the bucket, by name."""
    listed = s3.list_objects_v2(Bucket="queue-out", Prefix=f"{prefix}/results/").get("Contents", [])  # type: ignore[attr-defined]
    names = [one["Key"] for one in listed if not one["Key"].endswith(".cost.json")]
    return {name.removeprefix(f"{prefix}/"): content(s3, name) for name in names}


def content(s3: object, key: str) -> bytes:
    return bytes(s3.get_object(Bucket="queue-out", Key=key)["Body"].read())  # type: ignore[attr-defined]


def local(out: Path) -> dict[str, bytes]:
    return {name: value for name, value in steady(out).items() if name.startswith("results/")}


def test_dask_with_a_worker_killed_gives_the_same_results(
    server: dict[str, str], s3: object, reference: Path, tmp_path: Path
) -> None:
    cluster = Cluster(tmp_path, server)
    try:
        words = (
            "s3://queue-in/queue/",
            "-o",
            "s3://queue-out/dask",
            "--engine",
            "dask",
            "--scheduler",
            cluster.address,
            "-r",
            "html",
            "--no-duckdb",
        )
        child = subprocess.Popen(
            command(*words), env={**os.environ, **server}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 120
        while len(records(s3, "dask")) < 3 and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        cluster.workers[0].send_signal(signal.SIGKILL)
        assert child.poll() is None, "it was killed while there was work"
        _, told = child.communicate(timeout=240)
        assert child.returncode == 1, told
    finally:
        cluster.close()
    got, wanted = rows_of(content(s3, "dask/tickets.csv").decode()), rows(reference)
    assert [row["source"] for row in got] == [f"s3://queue-in/queue/case-{number:03}.tar.gz" for number in range(COUNT)]
    same = ("ticket", "status", "error", "findings", "top_finding", "fingerprint", "report")
    assert [[row[name] for name in same] for row in got] == [[row[name] for name in same] for row in wanted]
    assert records(s3, "dask") == local(reference)


def test_the_pool_reads_and_writes_object_stores_and_finds_what_is_there(
    server: dict[str, str], s3: object, reference: Path
) -> None:
    words = (
        "s3://queue-in/queue/*-00[0-2].tar.gz",
        "s3://queue-in/queue/none.tgz",
        "-o",
        "s3://queue-out/pool",
        "-r",
        "html",
        "--no-duckdb",
        "-q",
    )
    first = batch(*words, **server)
    assert first.returncode in (1, 4), first.stderr
    got = rows_of(content(s3, "pool/tickets.csv").decode())
    assert [row["status"] for row in got[-1:]] == ["failed"]
    assert "no such object" in got[-1]["error"]
    assert records(s3, "pool").items() <= local(reference).items()
    again = batch(*words, **server)
    assert "3 were there already" in again.stdout
    assert rows_of(content(s3, "pool/tickets.csv").decode()) == got


def test_a_scheduler_that_is_not_there_is_an_error(
    bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analyzer.batch import dask_engine
    from analyzer.errors import IpvscopeError

    monkeypatch.setattr(dask_engine, "CONNECT_S", 0.5)
    with pytest.raises(IpvscopeError, match="no scheduler"):
        next(dask_engine.run_dask([], "tcp://127.0.0.1:9"))
