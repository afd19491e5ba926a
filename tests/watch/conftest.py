"""One browser for all tests of the page."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def chromium() -> Generator[Browser]:
    """Chromium, started once."""
    from tests.watch import browser

    with browser.chromium() as found:
        yield found
