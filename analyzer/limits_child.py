"""The child's side of `analyzer.limits`: its limits, its signals, and its one answer through the pipe."""

from __future__ import annotations

import os
import pickle
import re
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

from analyzer.errors import IpvscopeError

CLEANING_S: Final = 3
"""CPU seconds left for cleaning up after the limit."""
_RESERVE: Final = 64 << 20
_ALLOCATION: Final = re.compile(
    "bad_alloc|Cannot allocate memory|cannot map zero-fill|failed to map segment|can't start new thread"
)


class _Stop(BaseException):
    """Raised by a signal; no ``except Exception`` on the way may take it for something else."""


def live(
    function: Callable[..., Any], args: Sequence[Any], memory: int | None, cpu: int | None, writer: int,
    mask: set[int | signal.Signals],
) -> NoReturn:  # fmt: skip
    """The child's whole life; never returns into the caller's code."""
    try:
        os.setpgid(0, 0)
        _end_with_parent()
        # It is not the terminal's foreground group; writing there must not stop it.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT, signal.SIGXCPU):
            if signal.getsignal(number) != signal.SIG_IGN or number == signal.SIGXCPU:
                signal.signal(number, _stop)
        _set(memory, cpu)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        outcome = _outcome(function, args)
    except _Stop as stop:
        outcome = ("cpu" if stop.args == (signal.SIGXCPU,) else "stopped", None)
    except BaseException as error:
        outcome = ("crashed", (repr(error), ""))
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(pickle.dumps(outcome))
    except BaseException:
        os._exit(1)
    os._exit(0)


def _outcome(function: Callable[..., Any], args: Sequence[Any]) -> tuple[str, Any]:
    try:
        answer = function(*args)
        sys.stdout.flush()
        sys.stderr.flush()
        return "value", answer
    except MemoryError:
        _relax()
        return "memory", None
    except (IpvscopeError, OSError, SystemExit, KeyboardInterrupt) as error:
        with suppress(OSError):
            sys.stdout.flush()
        # Causes and frames stay here: they may hold what cannot be sent.
        error.__cause__ = error.__context__ = None
        return "raised", error.with_traceback(None)
    except Exception as error:
        import traceback

        if _for_lack_of_memory(error):
            _relax()
            return "memory", None
        last = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {str(error)[:300]} ({os.path.basename(last.filename)}:{last.lineno})"
        return "crashed", (what, traceback.format_exc())


def _for_lack_of_memory(error: BaseException | None) -> bool:
    """Libraries turn a failed allocation into errors of their own, often with the first one behind it."""
    for _ in range(20):
        if error is None:
            return False
        if isinstance(error, MemoryError) or _ALLOCATION.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _stop(number: int, _: object) -> NoReturn:
    # Once is enough: a second one must not disturb the cleaning up.
    signal.signal(number, signal.SIG_IGN)
    raise _Stop(number)


def _set(memory: int | None, cpu: int | None) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if cpu is not None:
        _lower(resource.RLIMIT_CPU, cpu, CLEANING_S)
    if memory is not None:
        # The hard limit leaves a little to report with.
        _lower(resource.RLIMIT_DATA, memory, _RESERVE)


def _lower(kind: int, soft: int, more: int) -> None:
    """Set a limit, never above the hard one that is there."""
    hard = resource.getrlimit(kind)[1]
    most = soft + more if hard == resource.RLIM_INFINITY else min(soft + more, hard)
    resource.setrlimit(kind, (min(soft, most), most))


def _relax() -> None:
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _end_with_parent() -> None:
    """Ask Linux to end this process when its parent dies, however that happens."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
