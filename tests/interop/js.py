"""js-libp2p for tests and benchmarks: what there is of it here, or why not."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

INTEROP = Path(__file__).parent
INSTALL_SECONDS = 240
NODE_AT_LEAST = 20


def why_not() -> str | None:
    """Why js-libp2p cannot run here, in words; None if it can."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "the js-libp2p peer needs node 20 or newer and npm: install both to run this"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = said.strip().removeprefix("v").split(".")[0]
    if not major.isdigit() or int(major) < NODE_AT_LEAST:
        return f"the js-libp2p peer needs node {NODE_AT_LEAST} or newer, this is {said.strip()}"
    return None


def ensure_installed() -> str | None:
    """
    Install the packages of the lock file, unless they are.

    Returns:
        Why it could not be done, for example without a network; None where all is there.
    """
    with (INTEROP / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _installed():
            return None
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            done = subprocess.run(
                command,
                cwd=INTEROP,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"npm did not install js-libp2p within {INSTALL_SECONDS} s"
        return None if done.returncode == 0 else f"npm ci failed: {done.stderr[-500:]}"


def _installed() -> bool:
    """Whether every package that is asked for lies here in its version."""
    wanted = json.loads((INTEROP / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        found = INTEROP / "node_modules" / name / "package.json"
        if not found.exists() or json.loads(found.read_text())["version"] != version:
            return False
    return True
