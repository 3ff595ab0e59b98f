"""A slot: one warm process that analyses one bundle after the other, started again when it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping

import msgspec

from analyzer.batch.analysis import Request
from analyzer.batch.warm import ANSWERS, Answer, Order
from analyzer.limits import Limits

_ONE_THREAD: Mapping[str, str] = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ATTEMPTS = 2


class Closed(Exception):
    """The batch is being stopped; nothing is wrong with the bundle."""


class Slot:
    """Used by one thread at a time; `close` may be called by any."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def run(self, request: Request, limits: Limits) -> Answer:
        """Have one bundle analysed.

        A process that dies without an answer was killed from outside (a bundle can only end its own child): the request is tried once more.

        Raises:
            Closed: `close` was called meanwhile.
        """
        order = msgspec.json.encode(Order(request, limits)) + b"\n"
        answer = Answer("died", "its process was killed twice")
        for _ in range(ATTEMPTS):
            answer = self._ask(order) or answer
            if self._closed:
                raise Closed
            if answer.kind != "died":
                break
        return answer

    def _ask(self, order: bytes) -> Answer | None:
        process = self._alive()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(order)
            process.stdin.flush()
            line = process.stdout.readline()
        except (BrokenPipeError, ValueError):
            line = b""
        if line.endswith(b"\n"):
            return ANSWERS.decode(line)
        self._end()
        return None

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise Closed
        if self._process is None or self._process.poll() is not None:
            # -P: the working folder, which may hold a stranger's files, is not a place to import from. Its own session: Ctrl-C is
            # for the batch, which then ends it.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "analyzer.batch.warm"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, env={**os.environ, **_ONE_THREAD},
            )  # fmt: skip
            if self._closed:  # meanwhile, when there was no process to end
                self._end()
                raise Closed
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        continue

    def close(self) -> None:
        """End the process; what it was doing is given up."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
            process.wait()


class Slots:
    """One slot per thread that asks, all closed together."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._all: list[Slot] = []
        self._lock = threading.Lock()

    def mine(self) -> Slot:
        """The slot of the calling thread."""
        slot: Slot | None = getattr(self._own, "slot", None)
        if slot is None or slot not in self._all:
            slot = self._own.slot = Slot()
            with self._lock:
                self._all.append(slot)
        return slot

    def close(self) -> None:
        with self._lock:
            slots, self._all = self._all, []
        for slot in slots:
            slot.close()
