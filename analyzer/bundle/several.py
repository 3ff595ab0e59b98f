"""Several inputs as one bundle: a folder per input, named after it, so that every path stays unique and says where it is from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from analyzer.bundle.model import Bundle, Limits, Part, Refused
from analyzer.bundle.open import bare_name, open_bundle

Source = str | os.PathLike[str]


def open_bundles(sources: Sequence[Source], *, limits: Limits | None = None, node: str = "") -> Bundle:
    """Open all inputs and put their members side by side; a single input is opened as it is.

    Each input has its own layout; manifests of native parts become one. The limits hold for each input.

    Args:
        node: the node for captures that nothing assigns, in every input.

    Raises:
        BundleError: one of them is not there or cannot be read.
        UnsafeBundle: one of them exceeds `limits` as a whole.
    """
    if len(sources) == 1:
        return open_bundle(sources[0], limits=limits, node=node)
    with ExitStack() as opened:
        bundles = [opened.enter_context(open_bundle(source, limits=limits, node=node)) for source in sources]
        labels = _labels([bare_name(os.fspath(source)) for source in sources])
        merged = _merged(list(zip(labels, bundles, strict=True)))
        return replace(merged, closer=opened.pop_all().close)


def _labels(names: Sequence[str]) -> list[str]:
    """Distinct names: a second `node` is `node-2`."""
    taken: set[str] = set()
    labels = []
    for name in names:
        label, number = name, 1
        while label in taken:
            number += 1
            label = f"{name}-{number}"
        taken.add(label)
        labels.append(label)
    return labels


def _merged(labelled: Sequence[tuple[str, Bundle]]) -> Bundle:
    members = [replace(m, path=f"{label}/{m.path}") for label, bundle in labelled for m in bundle.members]
    refused = [Refused(f"{label}/{one.path}", one.why) for label, bundle in labelled for one in bundle.refused]
    parts = [
        Part(part.layout, f"{label}/{part.root}", part.node) for label, bundle in labelled for part in bundle.parts
    ]
    return Bundle(
        source="+".join(os.path.basename(bundle.source.rstrip("/")) for _, bundle in labelled),
        layout="+".join(dict.fromkeys(part.layout for part in parts)),
        members=tuple(members),
        refused=tuple(refused),
        manifest=_manifest(labelled),
        parts=tuple(parts),
    )


def _manifest(labelled: Sequence[tuple[str, Bundle]]) -> dict[str, object]:
    """The commands of all manifests, each with its file's new path; the rest from the first manifest that has it."""
    merged: dict[str, object] = {}
    commands: list[object] = []
    for label, bundle in labelled:
        merged = {**bundle.manifest, **merged}
        listed = bundle.manifest.get("commands")
        for command in listed if isinstance(listed, list) else []:
            if isinstance(command, dict) and isinstance(command.get("file"), str):
                command = {**command, "file": f"{label}/{command['file']}"}
            commands.append(command)
    if commands:
        merged["commands"] = commands
    return merged
