"""Write a builder's uploads, open them, and compare tables with those of the native form."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from analyzer.bundle import open_bundle
from analyzer.snapshot import Snapshot, load
from tests import lab

from ..pack import tar, zipped
from .capture import Capture, Files

POINTERS = ("file", "line", "vs_line")
capture = cache(Capture)


def write(at: Path, uploads: Mapping[str, Files]) -> list[Path]:
    """One file per upload, of the kind its name says; an upload with one nameless member is a bare file."""
    at.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, files in uploads.items():
        if list(files) == [""]:
            content = files[""]
        elif name.endswith(".zip"):
            content = zipped(files.items())
        else:
            pack = lzma.compress if name.endswith(".xz") else gzip.compress
            content = pack(tar(files.items()))
        (at / name).write_bytes(content)
        paths.append(at / name)
    return paths


@cache
def native(case: str) -> Snapshot:
    with open_bundle(lab.bundle(case)) as bundle:
        return load(bundle)


def rows(frame: pd.DataFrame, dropped: Iterable[str] = ()) -> list[tuple[Any, ...]]:
    """The rows of a table without pointers to lines, sorted, every null alike."""
    kept = frame.drop(columns=[name for name in (*POINTERS, *dropped) if name in frame.columns])
    plain = kept.astype(object).where(kept.notna(), None)
    return sorted(
        (tuple(plain_value(cell) for cell in row) for row in plain.itertuples(index=False)),
        key=lambda row: tuple(map(str, row)),
    )


def plain_value(cell: Any) -> Any:
    return int(cell) if isinstance(cell, (int,)) and not isinstance(cell, bool) else cell
