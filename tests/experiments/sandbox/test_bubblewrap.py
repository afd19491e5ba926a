"""What a command sees in bubblewrap: Python, wherever it is installed, and little else."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from experiments.sandbox import Confinement
from experiments.sandbox.bubblewrap import BubblewrapSandbox
from experiments.sandbox.system import system_paths

BUBBLEWRAP = BubblewrapSandbox()


@pytest.mark.skipif(BUBBLEWRAP.missing() is not None, reason="no bubblewrap here")
def test_an_environment_below_tmp_is_seen_and_the_rest_of_tmp_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A clone may lie in /tmp, which the command otherwise finds empty."""
    with tempfile.TemporaryDirectory(dir="/tmp") as clone:
        prefix = Path(clone, ".venv").resolve()
        (prefix.parent / "secret").touch()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
        monkeypatch.setattr(sys, "prefix", str(prefix))
        system_paths.cache_clear()
        script = "import os, sys; print(sys.prefix, os.listdir(os.path.dirname(sys.prefix)))"
        ran = subprocess.run(
            BUBBLEWRAP.wrap(["python", "-c", script], Confinement((), (tmp_path,))),
            env=os.environ | {"PATH": f"{prefix}/bin:{os.defpath}"},
            capture_output=True,
            text=True,
        )
    system_paths.cache_clear()
    assert (ran.stdout, ran.stderr) == (f"{prefix} ['.venv']\n", "")
