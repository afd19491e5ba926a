"""
A real browser: Chromium through Playwright, without a network of its own.

Where neither can be had the tests that need it say why and are skipped; in CI they fail
instead, for a skip that nobody reads is a test that nobody runs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_MS = 150_000
"""How long anything is waited for: a machine under load is slow, not broken."""


def path() -> str | None:
    """Where Chromium is; None where Playwright's own may be."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Generator[Browser]:
    """A browser, or a skip that says what is missing."""
    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(
                executable_path=path(), args=list(FLAGS), timeout=PATIENCE_MS
            )
        except Error as error:
            what = str(error).splitlines()[0]
            reason = f"no Chromium starts ({what}): `make test` as root on Debian brings it"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        try:
            yield found
        finally:
            found.close()


@dataclass
class Watched:
    """A page, with everything it complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    dialogs: list[str] = field(default_factory=list[str])
    foreign: list[str] = field(default_factory=list[str])


@contextmanager
def watched(
    browser: Browser, *, width: int = 1280, height: int = 900, theme: str = "light"
) -> Generator[Watched]:
    """A page of its own, forgotten afterwards."""
    dark = theme == "dark"
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    seen = Watched(page)
    page.on(
        "console", lambda said: seen.complaints.append(said.text) if said.type == "error" else None
    )
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))

    def dismiss(dialog: object) -> None:
        seen.dialogs.append(str(dialog))

    page.on("dialog", dismiss)
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1:", "data:"))
            else seen.foreign.append(request.url)
        ),
    )
    try:
        yield seen
    finally:
        context.close()
