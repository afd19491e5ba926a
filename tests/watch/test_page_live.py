"""The page of a real node in a real browser, while a real peer finds something."""

from __future__ import annotations

import socket
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.processes import nodes
from tests.watch.browser import PATIENCE_MS, watched

STAY = "[network]\nsync_interval_seconds = 1\n[node]\nstay = true\n"
SOON_FOUND = '[search]\nexclude_families = ["learning_rate", "width_depth", "simplify"]\n'
"""Leaves one knob of the toy task, of whose two other values one is far better."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_peers_win_appears_is_read_and_outlives_a_lost_connection(
    chromium: Browser, tmp_path: Path
) -> None:
    """Without a reload: a win comes, is opened, its diff read; the node stops and is back."""
    expect.set_options(timeout=PATIENCE_MS)
    address = f"127.0.0.1:{free_port()}"
    with nodes(tmp_path, 2, STAY) as (finder, watcher), watched(chromium) as seen:
        finder.home.settings.write_text(STAY + SOON_FOUND)
        watcher.start("--observe", "--nickname", "watcher", "--api", address)
        page = seen.page
        page.goto(f"http://{address}/")
        expect(page.locator("#link-state")).to_have_text("Live")
        expect(page.locator(".story")).to_contain_text("No improvement found yet")
        page.evaluate("window.neverReloaded = true")

        finder.start(
            "--experiments",
            "2",
            "--nickname",
            "finder",
            "--api",
            "off",
            "--join",
            watcher.addrs()[0],
        )
        win = page.locator("table.wins a.title").first
        expect(win).to_be_visible()
        expect(page.locator("table.wins")).to_contain_text("finder")
        expect(page.locator("#peers")).to_contain_text("finder")

        title = win.inner_text()
        win.click()
        sheet = page.get_by_role("dialog")
        expect(sheet.locator("h2")).to_have_text(title)
        expect(sheet.locator(".diff-line.added code").first).to_contain_text(" = ")
        expect(sheet.locator(".diff-line.removed code").first).to_contain_text(" = ")
        expect(sheet.locator(".evidence tbody tr").nth(1)).to_be_visible()
        page.keyboard.press("Escape")
        expect(sheet).to_have_count(0)

        page.locator("#theme").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert seen.complaints == []

        watcher.end(timeout_s=120)
        expect(page.locator("#link-state")).to_have_text("Reconnecting …")
        expect(page.locator("#lost")).to_be_visible()
        expect(win).to_be_visible()
        watcher.start("--observe", "--nickname", "watcher", "--api", address)
        expect(page.locator("#link-state")).to_have_text("Live")
        expect(page.locator("#lost")).to_have_count(0)
        assert page.evaluate("window.neverReloaded") is True
        assert (seen.dialogs, seen.foreign) == ([], [])
