"""Whatever peers write, the page stays the page: attacks in every text, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import cycle, repeat
from typing import Any, cast

from playwright.sync_api import Browser, Page, expect

from tests.hostile_text import LINES
from tests.watch.browser import PATIENCE_MS, Watched, watched
from tests.watch.scene_wins import Document
from tests.watch.scenes import swarm
from tests.watch.stage import played

ATTACKS = (
    *LINES,
    "<script>window.attacked = 1</script>",
    "<img src=x onerror='window.attacked = 1'><svg onload='window.attacked = 1'></svg>",
    "<style>body { display: none !important }</style><link rel=stylesheet href=//x.example/x.css>",
    "</script></dialog></table><iframe srcdoc='<script>parent.attacked = 1</script>'></iframe>",
    "javascript:window.attacked=1",
    "${window.attacked = 1} {{constructor.constructor('attacked = 1')()}}",
    '" style="position:fixed;inset:0;background:red" class="sheet',
    "'; background: url(https://x.example/leak)",
    "constructor", "__proto__", "toString", "hasOwnProperty", "state", "top", "unseen",
    "\u202egnitsiol\u2066 turned", "Z" + "\u0310" * 300 + "algo", "W" * 3_000, "\u0000\u001b[2J",
)  # fmt: skip
WRITTEN_BY_PEERS = frozenset(
    [
        "title",
        "nickname",
        "family",
        "rationale",
        "proposer",
        "diff",
        "why",
        "text",
        "name",
        "source",
        "url",
        "hardware_class",
        "hardware",
        "device",
        "torch_version",
        "isolation",
        "outcome",
    ]
)
OPENED = 8
ROWS = {
    "leaderboard": "entries",
    "lineage": "nodes",
    "trials": "trials",
    "peers": "peers",
    "milestones": "milestones",
    "log": "entries",
}
CENSUS = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const never = 'iframe, object, embed, base, style, form, input, meta[http-equiv]';
  const ours = /^(#|api\\/|metrics$|https:)/;
  return {
    foreign: all(never).map((e) => e.outerHTML),
    scripts: [...document.scripts].map((e) => e.src),
    sheets: document.styleSheets.length,
    images: [...document.images].map((e) => e.src),
    handlers: all('*').flatMap((e) => e.getAttributeNames().filter((name) => /^on/i.test(name))),
    links: all('a').map((e) => e.getAttribute('href')).filter((href) => !ours.test(href)),
    classes: all('[class]')
      .flatMap((e) => [...e.classList])
      .filter((name) => !/^[a-z0-9_-]{1,24}$/.test(name)),
    width: document.documentElement.scrollWidth - innerWidth,
    attacked: window.attacked ?? null,
  };
}"""


def poisoned(value: Any, attacks: Iterator[str]) -> Any:
    """A document with the next attack in place of every text that a peer writes."""
    if isinstance(value, Mapping):
        return {
            key: next(attacks)
            if key in WRITTEN_BY_PEERS and isinstance(inner, str)
            else poisoned(inner, attacks)
            for key, inner in cast("Mapping[str, Any]", value).items()
        }
    if isinstance(value, list):
        return [poisoned(inner, attacks) for inner in cast("list[Any]", value)]
    return value


def every_attack() -> dict[str, Document]:
    """A swarm in which each win, peer, experiment and line of the log is another attack."""
    documents = swarm(len(ATTACKS), 3 * len(ATTACKS), peers=len(ATTACKS))
    for name, rows in ROWS.items():
        document = documents[name]
        texts = [
            poisoned(row, repeat(ATTACKS[at % len(ATTACKS)]))
            for at, row in enumerate(document[rows])
        ]
        documents[name] = {**document, rows: texts}
    running = documents["peers"]["peers"]
    for at, row in enumerate(running):
        row["running"] = [ATTACKS[at % len(ATTACKS)]]
    status = documents["status"]
    documents["status"] = {
        **status,
        "now": [poisoned(each, repeat(ATTACKS[-1])) for each in status["now"]],
    }
    return documents


def assert_untouched(seen: Watched, where: str) -> None:
    """The page is made of what we wrote, and of texts."""
    census = seen.page.evaluate(CENSUS)
    for key in ("foreign", "handlers", "links", "classes"):
        assert census[key] == [], (where, key, census[key])
    assert len(census["scripts"]) == 2, (where, census["scripts"])
    assert census["sheets"] == 4, where
    assert all(source.endswith("/icon.svg") for source in census["images"]), census["images"]
    assert census["width"] <= 0, (where, "wider than the screen", census["width"])
    assert census["attacked"] is None, where
    assert (seen.complaints, seen.dialogs, seen.foreign) == ([], [], []), where


def test_attacks_stay_text(chromium: Browser) -> None:
    """In every view, in both themes and widths, an attack is shown as the text it is."""
    expect.set_options(timeout=PATIENCE_MS)
    for width, theme in ((1280, "light"), (375, "dark")):
        with (
            played(every_attack()) as (stage, url),
            watched(chromium, width=width, theme=theme) as seen,
        ):
            page = seen.page
            page.goto(url)
            expect(page.locator("table.wins tbody tr").first).to_be_visible()
            show_everything(page)
            expect(page.locator("table.wins tbody tr")).to_have_count(len(ATTACKS))
            expect(page.locator("svg.lineage a.box")).to_have_count(len(ATTACKS))
            assert_untouched(seen, f"all views, {width} wide")
            expect(page.locator("table.wins")).to_contain_text(
                "<script>window.attacked = 1</script>"
            )
            expect(page.locator("#log")).to_contain_text("<script>alert(1)</script>")
            assert page.locator(".bad", has_text="This part of the page failed").count() == 0
            stage.tell(
                "log", {"id": 9_999, "at_ms": 1, "event": "win_accepted", "text": ATTACKS[-3]}
            )
            expect(page.locator("#said")).not_to_be_empty()
            assert_untouched(seen, "told by the stream")


def test_attacks_in_a_win_stay_text(chromium: Browser) -> None:
    """All of them as title, rationale, diff and environment of wins that are opened."""
    expect.set_options(timeout=PATIENCE_MS)
    documents = every_attack()
    attacks = cycle(ATTACKS)
    opened = sorted(name for name in documents if name.startswith("records/"))[:OPENED]
    for name in opened:
        documents[name] = poisoned(documents[name], attacks)
    everything = "".join(f"+{attack}\n" for attack in ATTACKS)
    documents[opened[0]] = {
        **documents[opened[0]],
        "rationale": "\n".join(ATTACKS),
        "diff": f"--- a/train.py\n+++ b/train.py\n@@ -1,0 +1,{len(ATTACKS)} @@\n{everything}",
    }
    with played(documents) as (_, url), watched(chromium) as seen:
        seen.page.goto(url)
        expect(seen.page.locator("table.wins tbody tr").first).to_be_visible()
        for name in opened:
            record = name.removeprefix("records/")
            seen.page.evaluate(f"location.hash = {json.dumps('#/win/' + record)}")
            expect(seen.page.locator("dialog code.command", has_text=record)).to_be_visible()
            assert_untouched(seen, name)


def show_everything(page: Page) -> None:
    """Unfold what is folded."""
    for view in ("#wins", "#peers", "#log"):
        button = page.locator(f"{view} > button.more")
        if button.count():
            button.click()
