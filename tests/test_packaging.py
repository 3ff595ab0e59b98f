"""The wheel as a user gets it: everything inside, the command starts from any folder, imports stay light."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "samples" / "clb-reuse.tar.gz"
HEAVY = ("pandas", "pyarrow", "weasyprint", "jinja2")

# What the interpreter may not inherit: a way back to the source tree.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-q",
        "-w",
        target,
    ]
    built = run(*pip, ROOT, cwd=target)
    assert built.returncode == 0, built.stderr
    (found,) = target.glob("ipvscope-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the wheel, and with the dependencies of the running one.

    The dependencies come by a path, which runs no `.pth` file, so the editable install of the project stays invisible.
    """
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    bin_folder = home / "bin"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "dependencies.pth").write_text("\n".join(sorted(dependencies)) + "\n", encoding="utf-8")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", bin_folder / "python", "install", "-q"]
    done = run(*pip, "--no-index", "--no-deps", "--ignore-installed", wheel, cwd=home)
    assert done.returncode == 0, done.stderr
    return bin_folder


def test_the_wheel_holds_templates_and_catalogues(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    for folder in ("templates", "locale"):
        shipped = {f"analyzer/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob("*") if path.is_file()}
        shipped = {name for name in shipped if "__pycache__" not in name}
        assert shipped, folder
        assert shipped <= inside
    assert "analyzer/py.typed" in inside
    assert {name.split("/")[0] for name in inside if ".dist-info/" not in name} == {"analyzer"}


def test_the_package_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "python", "-c", "import analyzer; print(analyzer.__file__)", cwd=tmp_path)
    assert Path(shown.stdout.strip()).is_relative_to(installed.parent), shown.stdout + shown.stderr


def test_help_starts_from_any_folder(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "ipvscope", "--help", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for command in ("analyze", "inspect", "probe", "trace"):
        assert command in shown.stdout


def test_a_sample_is_analysed_from_any_folder(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "ipvscope", "analyze", SAMPLE, "-o", tmp_path / "out", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "</html>" in page


@pytest.mark.parametrize("module", ["analyzer", "analyzer.cli.main"])
def test_imports_stay_light(module: str) -> None:
    """`ipvscope --help` must not wait for pandas: what is heavy is imported where it is used."""
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    shown = run(sys.executable, "-c", code, cwd=ROOT)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.split() == []
