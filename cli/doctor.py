"""
`swarm doctor`: what this machine can do, what is missing, and how to get it.

Each check is a function that gives one finding; nothing here changes anything.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from cli.finding import Finding, document, line
from cli.hints import spelled
from cli.isolation import isolation_findings
from cli.output import console, print_json, size
from cli.settings_file import SettingsError, load_settings
from cli.text import plain
from experiments.hardware import remembered
from experiments.probe import probe
from gossip.home import Home
from gossip.identity import IdentityError, load
from gossip.journal import Journal
from gossip.journal_faults import JournalError
from swarm.hardware import Device, Probe, hardware_class
from swarm.settings import Accept, Settings

SYMPY_VERSION = "1.14.0"
ENOUGH_DISK_BYTES = 1024**3
_CHECKED_BYTES = 256 * 1024**2


def doctor(root: Path, *, as_json: bool) -> int:
    """
    Look at the machine and the home, and say what was found, as JSON if wanted.

    Returns:
        The exit status: 1 when something that a node needs is missing.
    """
    if as_json:
        findings = list(examine(Home(root)))
        print_json({"findings": [document(finding) for finding in findings]})
        return int(any(finding.level == "missing" for finding in findings))
    screen = console()
    worst = 0
    for finding in examine(Home(root)):
        screen.print(line(finding), soft_wrap=True)
        worst = max(worst, finding.level == "missing")
    screen.print(f"\n{spelled(_verdict(Home(root), bool(worst)))}", soft_wrap=True)
    return worst


def _verdict(home: Home, lacking: bool) -> str:
    if home.running_pid() is not None:
        return "a node is running here: `swarm status` says what it does"
    return "a node cannot run here yet" if lacking else "ready: start a node with `swarm start`"


def examine(home: Home) -> Iterator[Finding]:
    """Every check, in the order a person would ask."""
    found = remembered(probe(), home.cache)
    yield _python()
    yield from _hardware(found)
    yield _torch()
    yield _sympy()
    yield _compiler()
    yield from isolation_findings(_accept(home))
    yield _disk(home)
    yield _node(home)
    yield _identity(home)
    yield _settings(home)
    yield from _journals(home)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("ok", "python", f"{version}, {sys.platform}")


def _hardware(found: Probe) -> Iterator[Finding]:
    memory = size(found.memory_bytes)
    words = f"{plain(found.cpu_model)}, {found.cores} cores, {memory}{_speed(found.gflops)}"
    yield Finding("ok", "processor", words)
    for device in found.devices:
        yield _device(device)
    words = f"{hardware_class(found)}: where the search begins; see `swarm strategy`"
    yield Finding("ok", "class", spelled(words))


def _device(device: Device) -> Finding:
    words = f"{device.kind}: {plain(device.name)}, {size(device.memory_bytes)}"
    if device.gflops == 0:
        fix = "install a torch that is built for it: https://pytorch.org/get-started/locally"
        return Finding("note", "device", f"{words}; torch cannot use it", fix)
    return Finding("ok", "device", words + _speed(device.gflops))


def _speed(gflops: float | None) -> str:
    """How fast it multiplies matrices, once the first start has measured it."""
    return "" if gflops is None else f", {gflops:,.0f} GFLOP/s"


def _torch() -> Finding:
    version = _version("torch")
    if version is None:
        return Finding("missing", "torch", "not installed", "pip install torch")
    return Finding("ok", "torch", version)


def _sympy() -> Finding:
    version = _version("sympy")
    if version == SYMPY_VERSION:
        return Finding("ok", "corpus", f"sympy {version}, the text of the built-in tasks")
    return Finding(
        "missing",
        "corpus",
        f"the built-in tasks are made of sympy {SYMPY_VERSION}, found {version or 'none'}",
        f"pip install sympy=={SYMPY_VERSION}",
    )


def _compiler() -> Finding:
    found = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if found is not None:
        return Finding("ok", "compiler", found)
    return Finding(
        "note",
        "compiler",
        "none; only needed to install again",
        "Debian, Ubuntu: apt install build-essential python3-dev libgmp-dev; "
        "macOS: xcode-select --install",
    )


def _accept(home: Home) -> Accept:
    """The policy of the settings; the default where they cannot be read, as is said below."""
    try:
        return _load_settings(home).search.accept
    except SettingsError:
        return Settings().search.accept


def _disk(home: Home) -> Finding:
    folder = next(path for path in (home.root, *home.root.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free >= ENOUGH_DISK_BYTES:
        return Finding("ok", "disk", f"{size(free)} free at {folder}")
    return Finding(
        "note", "disk", f"only {size(free)} free at {folder}", "free some, or use another --home"
    )


def _node(home: Home) -> Finding:
    pid = home.running_pid()
    words = "not running" if pid is None else f"running, process {pid}"
    return Finding("ok", "node", f"{words}; home {home.root}")


def _identity(home: Home) -> Finding:
    try:
        return Finding("ok", "identity", load(home.identity).peer_id)
    except FileNotFoundError:
        return Finding("ok", "identity", "none yet; made at the first start")
    except IdentityError as error:
        return Finding("missing", "identity", "cannot be used", str(error))


def _settings(home: Home) -> Finding:
    try:
        _load_settings(home)
    except SettingsError as error:
        return Finding("missing", "settings", "cannot be used", str(error))
    words = (
        str(home.settings) if home.settings.exists() else f"defaults; yours go in {home.settings}"
    )
    return Finding("ok", "settings", words)


def _load_settings(home: Home) -> Settings:
    return load_settings(home_file=home.settings, profile=None, environment=os.environ, flags={})


def _journals(home: Home) -> Iterator[Finding]:
    paths = sorted(home.journals.glob("*.sqlite"))
    if not paths:
        yield Finding("ok", "journal", "no records yet")
    for path in paths:
        yield _journal(path)


def _journal(path: Path) -> Finding:
    try:
        with Journal.open(path, read_only=True) as journal:
            if path.stat().st_size <= _CHECKED_BYTES:
                journal.check()
            return Finding("ok", "journal", f"{journal.count():,} records in {path.name}")
    except JournalError as error:
        return Finding("missing", "journal", "cannot be used", str(error))


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
