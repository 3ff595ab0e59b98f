"""Run a function in a child process with limits on memory, CPU time and time, so that no bundle can take the machine.

`run_limited` forks, sets the limits of the kernel (``setrlimit``) in the child, waits, and hands the function's answer
or error on as if it had been called directly. What the function prints goes where it always goes. The fork is cheap
while the caller has not loaded the heavy libraries, and the parent stays small.

Memory is counted as Linux counts RLIMIT_DATA: private writable pages that were asked for (heap, arenas, stacks), which
is above what is resident. On systems that do not hold that limit the limits of time still hold.
"""

from __future__ import annotations

import os
import pickle
import re
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast

from analyzer.errors import IpvscopeError, UsageError
from analyzer.limits_child import live

T = TypeVar("T")

LEAST_MEMORY: Final = 256 << 20
"""Below it the libraries do not even load, and fail in ways of their own."""
GRACE_S: Final = 3.0
"""What a child that was asked to stop has to clean up before it is killed."""
_FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_MEMORY: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_CLOCK: Final = {"cpu": "CPU time", "time": "time"}
_TIME: Final = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use; None is no limit. `memory` in bytes, `cpu` (user and system) and `time` in seconds.

    `size` is what a bundle may unpack to, in bytes; who opens it asks `size_limit`.
    """

    memory: int | None = 4 << 30
    cpu: int | None = 1200
    time: float | None = 1800
    size: int | None = 8 << 30

    @property
    def off(self) -> bool:
        return self.memory is None and self.cpu is None and self.time is None


DEFAULT: Final = Limits()
OFF: Final = Limits(None, None, None, None)
_SIZE: ContextVar[int | None] = ContextVar("size", default=DEFAULT.size)


def size_limit() -> int | None:
    """What a bundle that is opened now may unpack to, in bytes; null for no limit."""
    return _SIZE.get()


class LimitReached(IpvscopeError):
    """The child was ended because it reached a limit; `limit` is memory, cpu or time."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", limit: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.limit = limit


class Crashed(IpvscopeError):
    """The child ended by an error of this program or of a library; `trace` is the traceback, if there was one."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", trace: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.trace = trace


def parse_limits(text: str, base: Limits = DEFAULT) -> Limits:
    """Limits as the command line names them: what is not named keeps the value of `base`.

    Raises:
        UsageError: the text names no limits.

    >>> parse_limits("memory=2g,cpu=10m,size=40g")
    Limits(memory=2147483648, cpu=600, time=1800, size=42949672960)
    >>> parse_limits("off").off, parse_limits("time=off").time
    (True, None)
    """
    if text.strip().lower() in ("off", "none"):
        return OFF
    found = base
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        name, _, value = part.partition("=")
        name, value = name.strip(), value.strip()
        match = re.fullmatch(r"([0-9]{1,15})(?:(k|m|g|t)(?:i?b)?|(s|h))?", value)
        units = _MEMORY if name in ("memory", "size") else _TIME
        unit = "" if match is None else match[2] or match[3] or ""
        if name not in ("memory", "cpu", "time", "size") or (value != "off" and (match is None or unit not in units)):
            hint = "For example --limits memory=4g,cpu=600s,time=15m, or --limits off."
            raise UsageError(f"not a limit: {part!r}", hint=hint)
        amount = None if match is None else int(match[1]) * units[unit]
        if amount is not None and amount < (LEAST_MEMORY if name == "memory" else 1):
            hint = f"Leave it out, or say off; memory: at least {LEAST_MEMORY >> 20}m, which starting alone takes."
            raise UsageError(f"a limit too low: {part!r}", hint=hint)
        found = replace(found, **{name: amount})
    return found


def run_limited(function: Callable[..., T], args: Sequence[Any] = (), limits: Limits = DEFAULT, where: str = "") -> T:
    """Call ``function(*args)`` in a child process under `limits` and give its answer, which must be picklable.

    An `IpvscopeError`, `OSError`, `SystemExit` or `KeyboardInterrupt` of the function is raised here again. Signals
    that would end this process (from a terminal or sent) are handed to the child, which ends first; this needs the main
    thread, and other threads may call this function too. With limits `OFF` the function is called directly.

    Args:
        where: what is being worked on, for the messages (the bundle's path).

    Raises:
        LimitReached: the child needed more than `limits`.
        Crashed: the child died, or raised something else.
    """
    if limits.off:
        return _with_size(limits.size, function, *args)
    function, args = _with_size, (limits.size, function, *args)
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    # Blocked until both sides have their handlers, so that no signal is lost in between.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    try:
        pid = os.fork()
    except OSError as error:
        os.close(reader)
        os.close(writer)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise Crashed(f"no child process can be started: {error.strerror}", where=where) from None
    if pid == 0:
        os.close(reader)
        live(function, args, limits.memory, limits.cpu, writer, before)
    os.close(writer)
    return cast(T, _Parent(pid, reader, limits, where).answer(before))


def _with_size(size: int | None, function: Callable[..., T], *args: Any) -> T:
    before = _SIZE.set(size)
    try:
        return function(*args)
    finally:
        _SIZE.reset(before)


class _Parent:
    """Waits for one child."""

    def __init__(self, pid: int, reader: int, limits: Limits, where: str) -> None:
        self._pid, self._reader, self._limits, self._where = pid, reader, limits, where
        self._deadline = float("inf") if limits.time is None else time.monotonic() + limits.time
        self._told: int | None = None
        self._asked = self._killed = self._late = False

    def answer(self, mask: set[int | signal.Signals]) -> Any:
        data = b""
        try:
            with self._handlers(mask):
                data = self._read()
        finally:
            # Also what the child started itself (the PDF renderer); the group lives until its leader is waited for.
            self._send(signal.SIGKILL)
            os.close(self._reader)
            _, status, used = os.wait4(self._pid, 0)
        if self._told == signal.SIGINT:
            raise KeyboardInterrupt
        if self._told is not None:
            raise SystemExit(128 + self._told)
        if self._late:
            raise self._reached("time")
        return self._judge(data, status, used)

    @contextmanager
    def _handlers(self, mask: set[int | signal.Signals]) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            yield
            return
        old = {number: signal.getsignal(number) for number in (*_FORWARDED, signal.SIGTSTP)}
        # What is ignored (nohup) stays ignored.
        for number in (one for one in _FORWARDED if old[one] != signal.SIG_IGN):
            signal.signal(number, self._forward)
        if old[signal.SIGTSTP] == signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._pause)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def _forward(self, number: int, _: object) -> None:
        self._told = number
        self._ask(number)

    def _pause(self, *_: object) -> None:
        """Ctrl-Z stops the child too, and its time does not run meanwhile."""
        stopped = time.monotonic()
        self._send(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._send(signal.SIGCONT)
        self._deadline += time.monotonic() - stopped

    def _send(self, number: int) -> None:
        try:
            os.killpg(self._pid, number)
        except (ProcessLookupError, PermissionError):
            # It may not have made its group yet.
            with suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def _ask(self, number: int) -> None:
        """Ask it to stop; killed when it has not done so in time."""
        self._send(number)
        if not self._asked:
            self._asked = True
            self._deadline = time.monotonic() + GRACE_S

    def _read(self) -> bytes:
        parts: list[bytes] = []
        while True:
            # Woken now and then because a handler changes the deadline while `select` waits.
            left = max(0.0, min(0.5, self._deadline - time.monotonic()))
            ready, _, _ = select.select([self._reader], [], [], left)
            if ready:
                data = os.read(self._reader, 1 << 16)
                if not data:
                    return b"".join(parts)
                parts.append(data)
            elif time.monotonic() >= self._deadline and not self._killed:
                if self._asked:
                    self._killed = True
                    self._send(signal.SIGKILL)
                else:
                    self._late = True
                    self._ask(signal.SIGTERM)

    def _judge(self, data: bytes, status: int, used: resource.struct_rusage) -> Any:
        kind: str
        content: Any
        kind, content = pickle.loads(data) if data else ("died", None)  # noqa: S301 - from our own child
        if kind == "value":
            return content
        if kind == "raised":
            raise content
        if kind in ("memory", "cpu"):
            raise self._reached(kind)
        if kind == "crashed":
            what, trace = content
            hint = "This is a defect; please report it. With --limits off the traceback is shown."
            raise Crashed(f"internal error: {what}", where=self._where, hint=hint, trace=trace)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if self._limits.cpu and used.ru_utime + used.ru_stime >= self._limits.cpu and number:
            raise self._reached("cpu")
        unit = 1 if sys.platform == "darwin" else 1024
        if self._limits.memory and used.ru_maxrss * unit > 0.8 * self._limits.memory and number:
            raise self._reached("memory")
        name = signal.Signals(number).name if number else f"exit code {os.waitstatus_to_exitcode(status)}"
        hint = "The system ends a process when it runs out of memory." if number == signal.SIGKILL else ""
        raise Crashed(f"the process that analysed it ended early ({name})", where=self._where, hint=hint)

    def _reached(self, limit: str) -> LimitReached:
        amount = getattr(self._limits, limit)
        told = f"{amount / (1 << 20):.0f} MiB of memory" if limit == "memory" else f"{amount:g} s of {_CLOCK[limit]}"
        hint = f"If you trust where the bundle comes from, raise it: --limits {limit}=..., or --limits off."
        what = f"analysing it takes more than {told}"
        return LimitReached(what, where=self._where, hint=hint, limit=limit)
