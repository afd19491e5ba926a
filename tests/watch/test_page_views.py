"""The page as people meet it: first minute, live news, keyboard, phone, themes, a lost node."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.watch.browser import PATIENCE_MS, Watched, watched
from tests.watch.scene_wins import Document
from tests.watch.scenes import first_minute, swarm
from tests.watch.stage import Stage, played
from tests.watch.test_api import SPENT

WINS, TRIALS = 12, 60
NAMED = "a, button, summary, dialog, section, nav, svg[role]"
NAMELESS = """(named) => [...document.querySelectorAll(named)]
  .filter((e) => !e.closest('[aria-hidden=true]'))
  .filter((e) => {
    const label = e.getAttribute('aria-label');
    const by = document.getElementById(e.getAttribute('aria-labelledby'));
    return !(label || by?.textContent.trim() || e.textContent.trim());
  })
  .map((e) => e.outerHTML.slice(0, 120))"""


@pytest.fixture(autouse=True)
def patient() -> None:
    """A machine under load is slow, not broken."""
    expect.set_options(timeout=PATIENCE_MS)


def test_the_first_minute_says_what_is_happening(chromium: Browser) -> None:
    """A newcomer reads that the baseline is measured, how far it is, and what comes then."""
    with played(first_minute()) as (_, url), watched(chromium) as seen:
        page = seen.page
        page.goto(url)
        expect(page.locator("#now")).to_contain_text("Measuring the baseline on this machine")
        expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "29")
        expect(page.locator(".stages [aria-current=step]")).to_contain_text("Baseline")
        for view in ("#progress", "#wins", "#lineage", "#odds", "#milestones"):
            expect(page.locator(f"{view} .empty b")).not_to_be_empty()
        expect(page.locator("#peers")).to_contain_text("swarm start --join")
        assert seen.complaints == []


def grown(stage: Stage) -> None:
    """One more win, as the node would tell of it."""
    for name, document in swarm(WINS + 1, TRIALS + 1).items():
        stage.documents[name] = {**document, "version": 4} if "version" in document else document
    board: Document = {
        "version": 4,
        "records": 13,
        "wins": 13,
        "replications": 0,
        "experiments": 61,
    }
    news: Document = {
        "id": 41,
        "at_ms": 1,
        "event": "win_accepted",
        "text": "win by ada: “a new idea”",
    }
    stage.tell("log", news, "9f2c61d0-41")
    stage.tell("board", board)


def test_news_come_by_themselves(chromium: Browser) -> None:
    """A win, a line of the log and progress appear without a reload, and are read out."""
    with played(swarm(WINS, TRIALS)) as (stage, url), watched(chromium) as seen:
        page = opened(seen, url)
        grown(stage)
        expect(page.locator("#wins .choice")).to_contain_text(f"All {WINS + 1}")
        expect(page.locator("#said")).to_have_text("win by ada: “a new idea”")
        expect(page.locator(".log li").first).to_contain_text("a new idea")
        run: Document = {"arm": "candidate", "seed": 1, "phase": "train", "loss": None}
        run |= {"tokens": 3, "budget_tokens": 4}
        doing = {**stage.documents["status"]["now"][0], "title": "something else", "run": run}
        stage.tell("progress", {"peers": 9, "now": [doing]})
        expect(page.locator("#now")).to_contain_text("something else")
        expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "75")
        expect(page.locator("#peers .note")).to_contain_text("9 peers connected")
        assert seen.complaints == []


def test_what_a_model_has_used_is_told(chromium: Browser) -> None:
    """Beside the limits; where there is none, in words."""
    with played(swarm(WINS, TRIALS)) as (stage, url), watched(chromium) as seen:
        seen.page.goto(url)
        expect(seen.page.locator("#odds")).to_contain_text("No language model is set up.")
        stage.documents["status"] = {**stage.documents["status"], "llm": SPENT}
        seen.page.reload()
        told = "a-model proposes too: 4,000 of 9,000 tokens and 0.25 of 2 in money used today."
        expect(seen.page.locator("#odds")).to_contain_text(told)
        assert seen.complaints == []


def test_a_lost_node_is_said_and_found_again(chromium: Browser) -> None:
    """What was seen stays; the page says since when it hears nothing, and recovers by itself."""
    with played(swarm(WINS, TRIALS)) as (stage, url), watched(chromium) as seen:
        page = opened(seen, url)
        stage.cut()
        expect(page.locator("#link-state")).to_have_text("Reconnecting …")
        expect(page.locator("#lost")).to_contain_text("has not been heard for")
        expect(page.locator("#said")).to_have_text("The connection to the node is lost.")
        expect(page.locator("table.wins tbody tr").first).to_be_visible()
        stage.mend()
        expect(page.locator("#link-state")).to_have_text("Live")
        expect(page.locator("#lost")).to_have_count(0)
        expect(page.locator("#said")).to_have_text("Connected to the node again.")


def test_a_keyboard_reaches_everything(chromium: Browser) -> None:
    """Enter opens a win and Escape returns to where one was; arrows walk picture and lineage."""
    with played(swarm(WINS, TRIALS)) as (_, url), watched(chromium) as seen:
        page = opened(seen, url)
        first = page.locator("table.wins a.title").first
        first.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").locator("h2")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(first).to_be_focused()

        page.locator(".picture").focus()
        page.keyboard.press("ArrowRight")
        said = page.locator("#near")
        expect(said).to_contain_text("Experiment")
        once = said.inner_text()
        page.keyboard.press("ArrowRight")
        expect(said).not_to_have_text(once)
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("dialog")).to_have_count(0)

        page.locator("svg.lineage a.box[tabindex='0']").focus()
        here = page.evaluate("document.activeElement.dataset.record")
        page.keyboard.press("ArrowLeft")
        page.wait_for_function("was => document.activeElement.dataset.record !== was", arg=here)
        assert page.locator("svg.lineage a.box[tabindex='0']").count() == 1


def test_every_part_has_a_name_and_a_place(chromium: Browser) -> None:
    """Landmarks, one first heading, and no control without a name."""
    with played(swarm(WINS, TRIALS)) as (_, url), watched(chromium) as seen:
        page = opened(seen, url)
        for role in ("banner", "navigation", "main", "contentinfo"):
            expect(page.get_by_role(role)).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert page.get_by_role("heading", level=2).count() >= 8
        assert page.evaluate(NAMELESS, NAMED) == []
        for link in page.locator("nav.ways a").all():
            assert page.locator(link.get_attribute("href") or "").count() == 1


def test_a_theme_is_kept(chromium: Browser) -> None:
    """The system's theme at first, the reader's choice from then on, also after a reload."""
    with played(swarm(WINS, TRIALS)) as (_, url), watched(chromium, theme="dark") as seen:
        page = opened(seen, url)
        root = page.locator("html")
        expect(root).to_have_attribute("data-theme", "dark")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.locator("#theme").click()
        expect(root).to_have_attribute("data-theme", "light")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
        page.reload()
        expect(root).to_have_attribute("data-theme", "light")


def test_a_phone_shows_it_all_without_scrolling_sideways(chromium: Browser) -> None:
    """At 375 and 320 pixels nothing is wider than the screen, an opened win neither."""
    with played(swarm(WINS, TRIALS)) as (_, url):
        for width in (375, 320):
            with watched(chromium, width=width, height=720) as seen:
                page = opened(seen, url)
                wide = "document.documentElement.scrollWidth - innerWidth"
                assert page.evaluate(wide) <= 0
                page.locator("table.wins a.title").first.click()
                expect(page.get_by_role("dialog").locator(".diff")).to_be_visible()
                sheet = "(e) => e.scrollWidth - e.clientWidth"
                assert page.get_by_role("dialog").evaluate(sheet) <= 0


def opened(seen: Watched, url: str) -> Page:
    """The page, once it shows what the node knows."""
    seen.page.goto(url)
    expect(seen.page.locator("#link-state")).to_have_text("Live")
    expect(seen.page.locator("table.wins tbody tr").first).to_be_visible()
    expect(seen.page.locator("svg.lineage a.box").first).to_be_visible()
    return seen.page
