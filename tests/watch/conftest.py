"""One browser for the tests of the page in a module."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """Chromium, for one module: while it runs, its event loop counts as this thread's."""
    from tests.watch import browser

    with browser.chromium() as found:
        yield found
