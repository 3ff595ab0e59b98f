"""The repository as a stranger finds it: what is there, how big, and nothing that only works on one machine."""

from __future__ import annotations

import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PROMISED = {
    ".ci", ".editorconfig", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "analyzer", "bench",
    "collect.sh", "docs", "locale", "mkdocs.yml", "pyproject.toml", "samples", "scripts", "templates", "tests",
}  # fmt: skip

# Split so that this file does not find itself.
MACHINE_PATHS = re.compile(rb"(?<![\w.])/" + rb"(?:work|home|root)" + rb"/")
LARGEST_FILE = 1 << 20


def files() -> list[Path]:
    """What git tracks or would track; in an unpacked archive without git, everything that .gitignore leaves."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
        return [path for path in found if path.is_file()]
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not any(part == ".git" or Path(part).match(p) for part in _parts(path) for p in ignored)
    ]


def _parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).parts


FILES = files()


def texts(path: Path) -> Iterator[tuple[str, bytes]]:
    """The file's content; of an archive, the content of each member."""
    name = str(path.relative_to(ROOT))
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                if member.isfile() and (stream := archive.extractfile(member)):
                    yield f"{name}:{member.name}", stream.read()
    else:
        yield name, path.read_bytes()


def test_the_top_level_holds_what_was_promised() -> None:
    assert {_parts(path)[0] for path in FILES} == PROMISED


def test_no_file_is_too_big() -> None:
    assert [str(path) for path in FILES if path.stat().st_size > LARGEST_FILE] == []


def test_nothing_refers_to_a_machine() -> None:
    found = [name for path in FILES for name, content in texts(path) if MACHINE_PATHS.search(content)]
    assert found == []


def test_scripts_can_be_run() -> None:
    for name in ("collect.sh", "scripts/setup.sh", ".ci/run"):
        assert (ROOT / name).stat().st_mode & 0o111, name


def test_continuous_integration_runs_make_test() -> None:
    calls = [line for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines() if line.startswith("make")]
    assert len(calls) == 1
    assert calls[0].startswith("make test ")


def test_the_readme_starts_with_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.index("make demo") < readme.index("make test") < readme.index("\n## ", readme.index("make test"))


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "samples/README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    assert re.search(r"^## \[?Unreleased\]?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_versions_agree() -> None:
    import tomllib

    import analyzer

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    collector = re.search(r"^VERSION=(\S+)$", (ROOT / "collect.sh").read_text(encoding="utf-8"), re.MULTILINE)
    assert analyzer.__version__ == declared
    assert collector is not None
    assert collector[1] == declared


def test_each_sample_is_described_and_each_description_has_its_sample() -> None:
    described = re.findall(r"^\| `([^`]+\.tar\.gz)` \|", (ROOT / "samples/README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(described) == sorted(path.name for path in (ROOT / "samples").glob("*.tar.gz"))


@pytest.mark.parametrize("sample", sorted((ROOT / "samples").glob("*.tar.gz")), ids=lambda path: path.name)
def test_a_sample_is_one_of_the_recorded_captures(sample: Path) -> None:
    recorded = {path.read_bytes() for path in (ROOT / "tests/data/lab-truth").glob("*/bundle.tar.gz")}
    assert sample.read_bytes() in recorded


def test_each_recorded_capture_is_whole() -> None:
    cases = sorted((ROOT / "tests/data/lab-truth").iterdir())
    assert len(cases) == 40
    for case in cases:
        assert {path.name for path in case.iterdir()} == {"bundle.tar.gz", "scenario.yaml", "truth.csv"}
