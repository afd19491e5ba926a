"""The exported page in a real browser, with the worst that peers can say in it."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from cli.export import export
from tests.cli.test_archive import hostile_home
from tests.hostile_text import TEXTS
from tests.watch.browser import watched


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_runs_and_nothing_is_loaded(tmp_path: Path, chromium: Browser, theme: str) -> None:
    export(hostile_home(tmp_path / "home").root, tmp_path / "out", git=False)
    with watched(chromium, theme=theme) as seen:
        asked: list[str] = []
        seen.page.on("request", lambda request: asked.append(request.url))
        seen.page.goto((tmp_path / "out" / "report.html").as_uri())
        details = seen.page.locator("details")
        assert details.count() == len(TEXTS)
        details.first.locator("summary").click()
        assert seen.page.locator("details[open]").count() == 1
        seen.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert (seen.dialogs, seen.complaints) == ([], [])
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert seen.page.locator("script, iframe, link, form, [onerror], [style]").count() == 0
        ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(18, 22, 26)" if theme == "dark" else "rgb(246, 247, 248)")
        assert seen.page.locator("h1").is_visible()
