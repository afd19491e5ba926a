"""
What a wheel holds, and that the command works from it alone.

The wheel is built by the real backend and installed by the real pip into an
environment of its own, which borrows this one's libraries but not this checkout.
"""

import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("swarm", "gossip", "experiments", "watch", "cli")


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Standard output of a command run in a folder away from the checkout."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout as a wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    flags = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", ".")
    run([sys.executable, "-m", "pip", "wheel", *flags, ROOT], folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `bin` holds a Python with that wheel and this one's libraries."""
    folder = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run([*pip, "--no-deps", "--no-index", wheel], folder)
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run([python, "-c", show], folder).strip())
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def source_files(*folders: str) -> set[str]:
    """Every file below the folders as a path from the root, bytecode aside."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix() for path in found if path.parent.name != "__pycache__"
    }


def test_the_wheel_holds_every_file_a_node_needs(wheel: Path) -> None:
    """Code, tasks, the program and the settings profiles; no tests and no scripts."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = source_files(*PACKAGES, "baseline_train", "configs") | {"node.py"}
    needed = {path for path in sources if not path.endswith(".sh")}
    assert needed - held == set()
    assert {path for path in held if path.startswith(("tests/", "benchmarks/"))} == set()
    assert not [path for path in held if path.endswith((".sh", ".pyc"))]


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    """Name, licence with its text, oldest Python, and no development tool required."""
    with zipfile.ZipFile(wheel) as archive:
        [path] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(path).decode())
        licence = archive.read(path.replace("METADATA", "licenses/LICENSE")).decode()
    assert (metadata["Name"], metadata["Requires-Python"]) == ("research-swarm", ">=3.11")
    assert metadata["License-Expression"] == "MIT"
    assert licence.startswith("MIT License")
    required = metadata.get_all("Requires-Dist") or []
    assert not [line for line in required if line.startswith("pytest") and "extra" not in line]


def test_the_command_works_from_the_wheel(environment: Path) -> None:
    """`swarm --help` and `swarm task list` need neither the checkout nor the network."""
    swarm = environment / "bin" / "swarm"
    assert "start" in run([swarm, "--help"], environment)
    assert "tinypy" in run([swarm, "task", "list"], environment)


def test_the_packages_come_from_the_wheel(environment: Path) -> None:
    """Nothing is found by chance in the checkout this test runs from."""
    show = f"import importlib; print(*(importlib.import_module(m).__file__ for m in {PACKAGES}))"
    found = run([environment / "bin" / "python", "-c", show], environment).split()
    assert [path for path in found if not path.startswith(str(environment))] == []


def test_a_node_does_not_import_torch(environment: Path) -> None:
    """Torch lives in children only: it costs a node 400 MB and half its start."""
    show = "import sys, node, cli.main; print('torch' in sys.modules)"
    assert run([environment / "bin" / "python", "-c", show], environment).strip() == "False"


def test_what_the_checks_run_is_what_dev_installs() -> None:
    """`make test` and `make lint` need nothing beyond the extra."""
    tools = " ".join(PROJECT["optional-dependencies"]["dev"])
    for tool in ("pytest", "pytest-trio", "hypothesis", "ruff", "pyright", "hatchling"):
        assert tool in tools
