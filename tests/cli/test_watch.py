"""`swarm watch` in a real terminal, at every size, and with the worst that peers can say."""

import json
import re
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from cli.node_now import NodeNow, Running
from cli.watch_source import Watcher
from cli.watch_view import screenful
from gossip.home import Home
from gossip.journal import Journal
from tests.cli.homes import swarm
from tests.cli.terminal import terminal
from tests.cli.test_archive import hostile_home
from tests.cli.test_git_export import RECORDS
from tests.cli.toy_homes import TASK, stored, toy_home, toy_trials
from tests.hostile_text import LINES
from tests.swarm.record_samples import ANN

DOCUMENTED = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two wins, their fold, a failed idea, three replications; no node runs."""
    return toy_home(tmp_path / "home", RECORDS)


def test_it_is_live_and_leaves_the_terminal_as_it_was(home: Home) -> None:
    with terminal("watch", home=home.root, columns=120, lines=40) as screen:
        first = screen.wait_for(lambda text: "q quits" in text and "fold: both" in text)
        assert "toy" in first and "node not running" in first and "replicated ×3" in first
        late = toy_trials(9, "crashed", title="an idea that came late")
        with Journal.open(home.journal(TASK.id)) as journal:
            journal.append([stored(ANN, late)])
        screen.wait_for(lambda text: "an idea that came late" in text)
        screen.resize(70, 20)
        wanted = ("leaderboard", "fold: both", "q quits")
        screen.wait_for(lambda text: "peers" not in text and all(w in text for w in wanted))
        screen.press(b"xq")
        assert screen.ended() == 0
        assert screen.raw.count(b"\x1b[2J") == 0, "clearing the screen flickers"
        assert screen.raw.rstrip().endswith((b"\x1b[?1049l", b"\x1b[?25h"))
        assert screen.raw.count(b"\x1b[?25h") >= screen.raw.count(b"\x1b[?25l") == 1


def test_control_c_ends_it_too(home: Home) -> None:
    with terminal("watch", home=home.root, columns=80, lines=24) as screen:
        screen.wait_for(lambda text: "q quits" in text)
        screen.press(b"\x03")
        assert screen.ended() == 0
        assert b"Traceback" not in screen.raw


def test_without_a_terminal_it_shows_itself_once(home: Home) -> None:
    said = swarm("watch", home=home.root)
    assert said.status == 0 and "fold: both" in said.out and "\x1b" not in said.out


def rendered(home: Home, columns: int, lines: int) -> list[str]:
    """One look, as lines of text."""
    screen = Console(width=columns, height=lines, highlight=False, markup=False, emoji=False)
    with screen.capture() as shown:
        screen.print(screenful(Watcher(home.root).look(), columns, lines), height=lines)
    return shown.get().splitlines()


@pytest.mark.parametrize(("columns", "lines"), [(30, 10), (60, 16), (80, 24), (119, 50), (200, 60)])
def test_it_fits_every_window(home: Home, columns: int, lines: int) -> None:
    rows = rendered(home, columns, lines)
    assert len(rows) == lines and max(map(len, rows)) <= columns
    assert "leaderboard" in "\n".join(rows) and "q quits" in rows[-1]


def test_an_empty_home_says_what_happens_next(tmp_path: Path) -> None:
    rows = "\n".join(rendered(toy_home(tmp_path / "home"), 100, 30))
    assert "goes on from here" in rows and "the first experiments take a few minutes" in rows


def test_no_text_of_a_peer_steers_or_widens_the_screen(tmp_path: Path) -> None:
    home = hostile_home(tmp_path / "home")
    for columns, lines in ((60, 20), (150, 60)):
        rows = rendered(home, columns, lines)
        assert len(rows) == lines
        assert not set("".join(rows)) & set("\x1b\x00\x07\u202e\u200b\u2028\U000e0041")


def test_what_runs_now_is_drawn_safely(home: Home) -> None:
    scene = Watcher(home.root).look()
    rows = tuple(
        Running(n - 3, line, line, line, line, (-0.1,) * 60, n % 2 == 0, line, line, n / len(LINES))
        for n, line in enumerate(LINES)
    )
    busy = replace(scene, snapshot=replace(scene.snapshot, pid=1, now=LINES), now=rows)
    screen = Console(width=100, height=40, highlight=False, markup=False, emoji=False)
    for shown in (busy, replace(busy, now=None), replace(busy, now=())):
        with screen.capture() as captured:
            screen.print(screenful(shown, 100, 40), height=40)
        assert not set(captured.get()) & set("\x1b\u200b\u2028")


class TestAskingTheNode:
    """Its API is asked, and believed as far as it makes sense."""

    @contextmanager
    def answering(self, body: bytes, status: int = 200) -> Generator[str]:
        """A server that says one thing to everyone."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Location", "http://192.0.2.1/")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def documented(self, path: str) -> bytes:
        """The example of an answer in the documentation."""
        part = DOCUMENTED.read_text().split(f"### `GET {path}`")[1]
        found = re.search(r"```json\n(.*?)```", part, re.DOTALL)
        assert found
        return json.dumps(json.loads(found[1])).encode()

    def test_what_is_documented_is_understood(self, tmp_path: Path) -> None:
        with self.answering(self.documented("/api/status")) as url:
            running = NodeNow(url, tmp_path / "none").running()
        assert running is not None
        [one] = running
        assert (one.number, one.kind, one.title) == (43, "experiment", "INIT = kaiming")
        assert one.changes == (pytest.approx(3.4702 - 3.6531),)
        assert (one.arm, one.phase, one.share) == ("candidate", "train", 0.5)
        with self.answering(self.documented("/api/peers")) as url:
            [peer] = NodeNow(url, tmp_path / "none").peers()
        assert peer.connected and peer.running == ("INIT = kaiming",)

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"[]", b"{}", b"\xff", b'{"now": 1}', b'{"now": ', b"[" * 100_000,
            b"null",
        ],
    )  # fmt: skip
    def test_nonsense_is_no_answer(self, tmp_path: Path, body: bytes) -> None:
        with self.answering(body) as url:
            node = NodeNow(url, tmp_path / "none")
            assert node.running() is None and node.peers() == ()

    def test_odd_rows_are_shown_as_far_as_they_go(self, tmp_path: Path) -> None:
        row = {"number": "x", "title": 7, "pairs": [3, {"base": "a"}], "run": {"tokens": 1}}
        odd = {"now": [row, 5, {}]}
        with self.answering(json.dumps(odd).encode()) as url:
            running = NodeNow(url, tmp_path / "none").running()
        assert running is not None and [each.number for each in running] == [0, 0]

    def test_it_is_not_sent_elsewhere_and_waits_for_nobody(self, tmp_path: Path) -> None:
        with self.answering(b"{}", status=302) as url:
            assert NodeNow(url, tmp_path / "none").running() is None
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            assert NodeNow(f"http://127.0.0.1:{port}", tmp_path / "none").running() is None
        assert NodeNow("file:///etc/passwd", tmp_path / "none").running() is None
        assert NodeNow("", tmp_path / "none").running() is None
