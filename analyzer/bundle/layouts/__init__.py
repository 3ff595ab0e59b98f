"""One module per collector whose bundles are read; each declares ``LAYOUT``. Another collector is another module."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from analyzer.bundle.places import Layout


@cache
def layouts() -> tuple[Layout, ...]:
    """All layouts, by name."""
    found = [
        importlib.import_module(f"{__name__}.{module.name}").LAYOUT
        for module in pkgutil.iter_modules(__path__)
        if not module.name.startswith("_")
    ]
    return tuple(sorted(found, key=lambda layout: layout.name))


def layout(name: str) -> Layout | None:
    """The layout with that name."""
    return next((one for one in layouts() if one.name == name), None)
