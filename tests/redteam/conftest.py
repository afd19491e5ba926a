"""One warm forkserver for all cheats."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from experiments.sandbox.landlock import LandlockSandbox
from tests.redteam.arena import Arena


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Skips where the sandbox that most of them are held by is missing."""
    if (missing := LandlockSandbox().missing()) is not None:
        pytest.skip(missing)
    arena = Arena(tmp_path_factory.mktemp("arena"))
    yield arena
    arena.close()
