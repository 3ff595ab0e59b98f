"""Is the project, from this folder and with these extras, installed in the running Python? Exit code 0 means yes.

Lets `make` work offline once everything is there: pip would fetch the build backend even when nothing is to be done.
"""

from __future__ import annotations

import json
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent


def is_from_here(dist: Distribution) -> bool:
    """An editable install of this very folder (a copied virtual environment points elsewhere)."""
    recorded = json.loads(dist.read_text("direct_url.json") or "{}")
    editable = recorded.get("dir_info", {}).get("editable", False)
    return bool(editable) and Path(unquote(urlsplit(recorded.get("url", "")).path)) == ROOT


def unmet(extras: list[str]) -> list[str]:
    """What pyproject.toml asks for (not what was recorded at install time) and is not there."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    missing = []
    for line in wanted:
        need = Requirement(line)
        if need.marker is not None and not need.marker.evaluate():
            continue
        try:
            found = distribution(need.name).version
        except PackageNotFoundError:
            missing.append(line)
            continue
        if not need.specifier.contains(found, prereleases=True):
            missing.append(line)
    return missing


def main(extras: list[str]) -> int:
    try:
        dist = distribution("ipvscope")
        scripts = {entry.name for entry in dist.entry_points}
        return int(not is_from_here(dist) or "ipvscope" not in scripts or bool(unmet(extras)))
    except (PackageNotFoundError, ImportError):
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].split(",")))
