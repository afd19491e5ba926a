"""
What the installation does, and what it leaves alone.

The real script runs in a small checkout of its own. Its `.venv/bin/python` writes
down what pip is asked to install instead of installing it; the question where a CPU
build of PyTorch is offered goes to the real pip, over an empty environment and a
folder of wheels. A whole installation takes over a minute and is what `make test`
begins with in a fresh clone.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "cli"
PYPROJECT = """
dependencies = [
    "torch>=2.7,<2.14",
]
"""
BASE_PYTHON = """#!/bin/sh
case "$*" in
"-m venv"*) echo "venv" >>"$LOG"; mkdir -p .venv/bin; cp "$VENV_PYTHON" .venv/bin/python ;;
*) echo "Python 3.11.7" ;;
esac
"""
VENV_PYTHON = f"""#!/bin/sh
case "$*" in
*--dry-run*) shift 2; exec {sys.executable} -m pip --python "$EMPTY_ENVIRONMENT" "$@" ;;
"-m pip"*install*) echo "$*" >>"$LOG"; exit "${{PIP_STATUS-0}}" ;;
*) exec {sys.executable} "$@" ;;
esac
"""


class Checkout:
    """A checkout to install, on a Linux machine that is ready for it."""

    def __init__(self, folder: Path) -> None:
        """The two scripts, a pyproject.toml and an empty environment to ask pip about."""
        self.folder = folder / "checkout"
        self.wheels = folder / "wheels"
        self.programs = folder / "bin"
        self.log = folder / "log"
        for path in (self.folder / "cli", self.wheels, self.programs):
            path.mkdir(parents=True)
        shutil.copy(SCRIPTS / "install.sh", self.folder / "cli")
        (self.folder / "cli" / "preflight.sh").write_text(f"echo {self.programs}/python3\n")
        (self.folder / "cli" / "chromium.sh").write_text("exit 0\n")
        (self.folder / "pyproject.toml").write_text(PYPROJECT)
        self.log.touch()
        self.program("python3", BASE_PYTHON)
        self.program("uname", "#!/bin/sh\necho Linux\n")
        self.program("nvidia-smi", "#!/bin/sh\nexit 9\n")
        venv_python = folder / "venv_python"
        venv_python.write_text(VENV_PYTHON)
        venv_python.chmod(0o755)
        empty = folder / "empty"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(empty)], check=True)
        self.environment = {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "LOG": str(self.log),
            "VENV_PYTHON": str(venv_python),
            "EMPTY_ENVIRONMENT": str(empty / "bin" / "python"),
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_CONFIG_FILE": "/dev/null",
        }

    def program(self, name: str, script: str) -> None:
        """Put a program first on the PATH."""
        path = self.programs / name
        path.write_text(script)
        path.chmod(0o755)

    def offer_torch(self, version: str) -> None:
        """Put a wheel of PyTorch, empty but valid, where pip looks for local ones."""
        name = f"torch-{version}"
        with zipfile.ZipFile(self.wheels / f"{name}-py3-none-any.whl", "w") as wheel:
            metadata = f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
            wheel.writestr(f"{name}.dist-info/METADATA", metadata)
            wheel.writestr(
                f"{name}.dist-info/WHEEL",
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{name}.dist-info/RECORD", "")

    def install(self, *arguments: str, **environment: str) -> tuple[int, list[str]]:
        """Run the script; its exit status and what pip was asked to install."""
        self.log.write_text("")
        result = subprocess.run(
            ["/bin/sh", str(self.folder / "cli" / "install.sh"), *arguments],
            env=self.environment | environment,
            capture_output=True,
            timeout=60,
            check=False,
        )
        asked = [
            line.partition(" install ")[2] or line for line in self.log.read_text().split("\n")
        ]
        return result.returncode, [line for line in asked if line]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh clone."""
    return Checkout(tmp_path)


PYTORCH_INDEX = "--no-deps --index-url https://download.pytorch.org/whl/cpu torch>=2.7,<2.14"
NODE = "--editable ."
DEV = "--editable .[dev]"


def test_a_cpu_build_offered_locally_is_taken(checkout: Checkout) -> None:
    """No index is asked: the wheel lies on this machine."""
    checkout.offer_torch("2.13.0+cpu")
    local = "--no-deps --no-index torch==2.13.0+cpu"
    assert checkout.install() == (0, ["venv", local, NODE])


@pytest.mark.parametrize("offered", [None, "2.12.0", "2.14.0+cpu"])
def test_without_one_pytorchs_own_index_is_asked(checkout: Checkout, offered: str | None) -> None:
    """Nothing local, a build of another kind, or one outside the range."""
    if offered is not None:
        checkout.offer_torch(offered)
    assert checkout.install() == (0, ["venv", PYTORCH_INDEX, NODE])


@pytest.mark.parametrize(
    ("program", "script"), [("nvidia-smi", "exit 0"), ("uname", "echo Darwin")]
)
def test_a_gpu_or_a_mac_takes_the_default_build(
    checkout: Checkout, program: str, script: str
) -> None:
    """CUDA is wanted there, or PyTorch's only build is the right one."""
    checkout.program(program, f"#!/bin/sh\n{script}\n")
    assert checkout.install() == (0, ["venv", NODE])


def test_a_finished_installation_is_left_alone(checkout: Checkout) -> None:
    """The second start asks pip for nothing, nor does a node after the dev tools."""
    checkout.offer_torch("2.13.0+cpu")
    checkout.install("dev")
    assert checkout.install("dev") == (0, [])
    assert checkout.install() == (0, [])


def test_the_dev_tools_are_added_to_a_node(checkout: Checkout) -> None:
    """What a node needs is not all that the tests need."""
    checkout.install()
    status, asked = checkout.install("dev")
    assert (status, asked[-1]) == (0, DEV)
    assert "venv" not in asked


def test_new_dependencies_are_installed(checkout: Checkout) -> None:
    """A pull that changes pyproject.toml is noticed."""
    checkout.install()
    (checkout.folder / "pyproject.toml").write_text(PYPROJECT + "# another\n")
    assert NODE in checkout.install()[1]


def test_an_installation_that_broke_off_is_taken_up_again(checkout: Checkout) -> None:
    """A failing pip is an error, and leaves nothing that looks finished."""
    assert checkout.install(PIP_STATUS="1")[0] != 0
    status, asked = checkout.install()
    assert (status, asked[-1]) == (0, NODE)


def test_a_checkout_that_was_moved_is_installed_again(checkout: Checkout) -> None:
    """The commands in .venv name the old folder."""
    checkout.install()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("elsewhere"))
    assert NODE in checkout.install()[1]
