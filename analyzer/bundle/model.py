"""What a bundle is to the rest: a list of members, each with a path, a node hint and its bytes on demand."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from analyzer.limits import size_limit

Area = Literal["node", "cluster", "cloud", "manifest", "other"]


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file of the bundle.

    `path` is relative to the bundle's root, with forward slashes. `node` is the node the layout assigns
    (`nodes/<node>/...`), empty when the layout does not say. `read` gives the whole content and may be called again.
    `command` is the command that wrote it, where the layout says so; `partial` is why the absence of a row in it proves
    nothing, `unused` why the layout does not read it at all. These three are empty in the ordinary case.
    """

    path: str
    size: int
    area: Area
    node: str
    read: Callable[[], bytes]
    command: str = ""
    partial: str = ""
    unused: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that was not read, and why (link, device, path that leaves the root, limit)."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Part:
    """A bundle of one collector inside what was opened: its layout, its folder (with a slash behind) and its node."""

    layout: str
    root: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a bundle may cost. Sizes are bytes after decompression."""

    members: int = 200_000
    total_bytes: int = 8 << 30
    member_bytes: int = 2 << 30
    ratio: int = 200
    path_length: int = 1024
    depth: int = 32

    @classmethod
    def usual(cls) -> Limits:
        """The usual ones, with the size that ``--limits`` allows."""
        size = size_limit()
        return cls(total_bytes=sys.maxsize if size is None else size)


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle; a context manager.

    `layout` names the layouts of its `parts`.
    `digest` is the SHA-256 over sorted (path, content digest) pairs, so repacking changes nothing.
    """

    source: str
    layout: str
    members: tuple[Member, ...]
    refused: tuple[Refused, ...] = ()
    manifest: dict[str, object] = field(default_factory=dict)
    closer: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    parts: tuple[Part, ...] = ()

    @property
    def digest(self) -> str:
        """Reads every member once (one at a time) on each use; keep the answer."""
        pairs = sorted(
            (m.path.encode("utf-8", "surrogatepass"), hashlib.sha256(m.read()).digest()) for m in self.members
        )
        whole = hashlib.sha256()
        for path, content in pairs:
            # A path holds no NUL, so the pairs cannot be split in two ways.
            whole.update(path + b"\0" + content)
        return whole.hexdigest()

    def close(self) -> None:
        """Give back the work space; members of an archive cannot be read afterwards. May be called again."""
        if self.closer is not None:
            self.closer()

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
