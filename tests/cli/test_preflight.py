"""
The preflight on machines that are not this one.

Each test runs the real script under a real `sh` whose PATH holds only the programs
that the machine in question would have: small scripts that answer as they would
there. Nothing is installed; what a package manager was asked is read from a log.
"""

import importlib.metadata
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PREFLIGHT = Path(__file__).parents[2] / "cli" / "preflight.sh"
SHELL_NEEDS = ("sh", "cat", "dirname", "env", "touch")
PYTHON = f"""
case "$*" in
*"-m pip"*) exit {{pip_status}} ;;
*) exec {sys.executable} "$@" ;;
esac
"""
OLD_PYTHON = """
case "$*" in *version_info*) exit 1 ;; esac
"""
COMPILER = """
read -r line
case "$line" in {lacking}) exit 1 ;; esac
"""
APT = """
echo "apt-get $*" >>"$LOG"
case "$1" in install) touch "$LOG.installed" ;; esac
"""


@dataclass
class Machine:
    """A PATH of stubs, and the log of what was asked of its package manager."""

    folder: Path
    programs: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """A 64-bit Linux machine and an ordinary user, with nothing installed."""
        self.folder.mkdir()
        self.log = self.folder / "log"
        self.log.touch()
        for name in SHELL_NEEDS:
            (self.folder / name).symlink_to(Path("/bin") / name)
        self.has("uname", 'case "$1" in -s) echo Linux ;; -m) echo x86_64 ;; esac')
        self.has("id", "echo 1000")

    def has(self, name: str, script: str = "") -> "Machine":
        """Put a program on the PATH, or another in its place."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return self

    def has_python(self, name: str = "python3", *, wheel: bool = False) -> "Machine":
        """A Python whose pip finds a wheel for fastecdsa, or does not."""
        return self.has(name, PYTHON.format(pip_status=0 if wheel else 1))

    def has_compiler(self, lacking: str = "nothing") -> "Machine":
        """A compiler that finds every header but those a shell pattern names."""
        return self.has("cc", COMPILER.format(lacking=lacking))

    def runs(self) -> subprocess.CompletedProcess[str]:
        """The preflight, on this machine."""
        environment = {"PATH": str(self.folder), "LOG": str(self.log)}
        return subprocess.run(
            ["/bin/sh", str(PREFLIGHT)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A bare 64-bit Linux machine."""
    return Machine(tmp_path / "bin")


def commands(output: str) -> list[str]:
    """The lines a person is told to type: the indented ones."""
    return [line.strip() for line in output.splitlines() if line.startswith("    ")]


def test_a_ready_machine_is_told_which_python_is_used(machine: Machine) -> None:
    """Everything here: the Python's path on stdout, nothing else said."""
    result = machine.has_python().has_compiler().runs()
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip() == str(machine.folder / "python3")


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "sudo apt-get install -y build-essential python3-dev libgmp-dev"),
        ("dnf", "sudo dnf install -y gcc python3-devel gmp-devel"),
        ("pacman", "sudo pacman -S --needed base-devel gmp"),
    ],
)
def test_without_a_compiler_it_names_one_command(
    machine: Machine, manager: str, command: str
) -> None:
    """An ordinary user gets the one command of this system, and nothing is run."""
    result = machine.has_python().has(manager, APT).runs()
    assert result.returncode == 1
    assert commands(result.stderr) == [command]
    assert (result.stdout, machine.log.read_text()) == ("", "")


def test_only_what_is_missing_is_asked_for(machine: Machine) -> None:
    """A compiler without gmp.h needs one package more, not three."""
    result = machine.has_python().has_compiler(lacking="*gmp.h*").has("apt-get", APT).runs()
    assert commands(result.stderr) == ["sudo apt-get install -y libgmp-dev"]
    assert "gmp.h" in result.stderr


def test_headers_belong_to_the_python_that_is_used(machine: Machine) -> None:
    """A second, newer Python has header packages of its own."""
    machine.has("python3", OLD_PYTHON).has_python("python3.12")
    result = machine.has_compiler(lacking="*Python.h*").has("apt-get", APT).runs()
    assert commands(result.stderr) == ["sudo apt-get install -y python3.12-dev"]


def test_a_wheel_makes_the_compiler_unnecessary(machine: Machine) -> None:
    """Where pip has fastecdsa ready made, nothing needs to be compiled."""
    result = machine.has_python(wheel=True).runs()
    assert result.returncode == 0


def test_root_on_debian_gets_it_installed(machine: Machine) -> None:
    """The preflight installs, looks again, and goes on."""
    appears = 'test -e "$LOG.installed" || exit 1\n'
    machine.has_python().has("id", "echo 0").has("apt-get", APT)
    result = machine.has("cc", appears + COMPILER.format(lacking="nothing")).runs()
    assert result.returncode == 0, result.stderr
    assert machine.log.read_text().splitlines() == [
        "apt-get update -qq",
        "apt-get install -y build-essential python3-dev libgmp-dev",
    ]


def test_root_is_told_when_the_installation_fails(machine: Machine) -> None:
    """No network, say: the command is named once more and the preflight stops."""
    result = machine.has_python().has("id", "echo 0").has("apt-get", "exit 100").runs()
    assert result.returncode == 1
    assert commands(result.stderr) == ["apt-get install -y build-essential python3-dev libgmp-dev"]


def test_root_elsewhere_is_only_told(machine: Machine) -> None:
    """Only Debian and Ubuntu are installed to; others get the command without sudo."""
    result = machine.has_python().has("id", "echo 0").has("dnf", APT).runs()
    assert commands(result.stderr) == ["dnf install -y gcc python3-devel gmp-devel"]
    assert machine.log.read_text() == ""


@pytest.mark.parametrize(
    ("tools", "command"),
    [("exit 2", "xcode-select --install; brew install gmp"), ("", "brew install gmp")],
    ids=["no command line tools", "no gmp"],
)
def test_a_mac_needs_its_tools_and_gmp(machine: Machine, tools: str, command: str) -> None:
    """`cc` exists on every Mac; only xcode-select knows whether it works."""
    machine.has("uname", 'case "$1" in -s) echo Darwin ;; -m) echo arm64 ;; esac')
    machine.has_python().has_compiler(lacking="*gmp.h*").has("xcode-select", tools)
    assert commands(machine.runs().stderr) == [command]


@pytest.mark.parametrize(
    ("old", "command"),
    [
        (True, "sudo apt-get install -y python3.11 python3.11-venv"),
        (False, "sudo apt-get install -y python3 python3-venv"),
    ],
)
def test_without_a_new_enough_python_it_names_one_command(
    machine: Machine, old: bool, command: str
) -> None:
    """An old python3 needs another beside it; none needs the system's own."""
    if old:
        machine.has("python3", OLD_PYTHON)
    result = machine.has("apt-get", APT).runs()
    assert result.returncode == 1
    assert "Python 3.11" in result.stderr
    assert [line.startswith(command) for line in commands(result.stderr)] == [True]


def test_without_a_known_package_manager_it_says_what_is_needed(machine: Machine) -> None:
    """No command to name, so the parts are named."""
    result = machine.has_python().runs()
    assert result.returncode == 1
    assert "a C compiler" in result.stderr


@pytest.mark.parametrize(
    ("system", "processor", "said"),
    [
        ("Darwin", "x86_64", "Intel Macs"),
        ("MINGW64_NT-10.0", "x86_64", "WSL"),
        ("Linux", "armv7l", "armv7l"),
    ],
)
def test_an_unsupported_machine_is_told_so_at_once(
    machine: Machine, system: str, processor: str, said: str
) -> None:
    """Before anything is looked for."""
    machine.has("uname", f'case "$1" in -s) echo {system} ;; -m) echo {processor} ;; esac')
    result = machine.runs()
    assert result.returncode == 1
    assert said in result.stderr


def test_the_wheel_asked_about_is_the_one_libp2p_pins() -> None:
    """The preflight's pin follows libp2p's, or its question is the wrong one."""
    requirements = importlib.metadata.requires("libp2p") or []
    pinned = next(line for line in requirements if line.startswith("fastecdsa"))
    asked = re.search(r"^FASTECDSA=(.*)$", PREFLIGHT.read_text(), re.MULTILINE)
    assert asked is not None
    assert asked[1] == pinned.split(";")[0].strip()
