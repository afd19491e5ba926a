"""Whatever peers write, the page stays the page: attacks in every text, in a real browser."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import cycle, repeat
from pathlib import Path
from typing import Any, cast

from playwright.sync_api import Browser, Page, expect

from benchmarks.many_records import Author
from experiments.task_folder import load_task
from gossip.journal import Journal, Stored
from swarm.diff import DiffError, make_diff
from swarm.records import RecordError
from swarm.task import Task
from swarm.tree import tree_hash
from swarm.validation import Invalid, Scope, validate
from tests.hostile_text import LINES
from tests.processes import TOY, nodes, wait_until
from tests.swarm.record_samples import WIN
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


def test_attacks_that_pass_the_door_stay_text_on_a_real_node(
    chromium: Browser, tmp_path: Path
) -> None:
    """Signed wins of a stranger, in a real journal, served by a real node."""
    expect.set_options(timeout=PATIENCE_MS)
    task = load_task(TOY).task
    stored = signed_attacks(task)
    assert len(stored) > len(ATTACKS) / 2
    with nodes(tmp_path, 1) as (node,), watched(chromium) as seen:
        with Journal.open(node.home.journal(task.id)) as journal:
            journal.append(stored)
        node.start("--observe", "--api", "127.0.0.1:0")
        wait_until(lambda: bool(node.status().get("watch")))
        seen.page.goto(node.status()["watch"])
        expect(seen.page.locator("table.wins tbody tr").first).to_be_visible()
        show_everything(seen.page)
        expect(seen.page.locator("table.wins tbody tr")).to_have_count(len(stored))
        assert_untouched(seen, "the board of a real node")
        for each in stored[:OPENED]:
            seen.page.evaluate(f"location.hash = {json.dumps('#/win/' + each.id)}")
            expect(seen.page.locator("dialog code.command", has_text=each.id)).to_be_visible()
            assert_untouched(seen, each.id)


def signed_attacks(task: Task) -> list[Stored]:
    """Every attack that a record can carry, as title, rationale, nickname and diff of a win."""
    author, now_ms = Author(1), time.time_ns() // 1_000_000
    found: list[Stored] = []
    for attack in ATTACKS:
        source = task.baseline["train.py"] + f"# {attack}\n".encode()
        tree = {**task.baseline, "train.py": source}
        try:
            diff = make_diff(task.baseline, tree)
            win = replace(
                WIN,
                author=author.peer_id,
                topic=task.topic,
                task=task.id,
                created_at_ms=now_ms,
                base=None,
                parents=(),
                title=attack[:120],
                nickname=attack[:40],
                rationale=attack[:2000],
                family=attack[:32],
                proposer=attack[:32],
                diff=diff,
                tree=tree_hash(tree),
            )
            each = author.stored(win)
            validate(each.envelope, Scope(task.topic, task.id))
        except (DiffError, RecordError, Invalid):
            continue
        found.append(each)
    return found


def show_everything(page: Page) -> None:
    """Unfold what is folded."""
    for view in ("#wins", "#peers", "#log"):
        button = page.locator(f"{view} > button.more")
        if button.count():
            button.click()
