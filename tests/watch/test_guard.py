"""Who may read: strangers' pages, other machines and everything but reading are refused."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.watch.glass import Glass, Stage, glass
from watch.address import WatchError, token_in
from watch.guard import HEADERS, host_name, is_loopback

OURS = ("127.0.0.1", "127.0.0.1:{port}", "localhost", "LOCALHOST:1", "[::1]:{port}", "127.0.0.2")
FOREIGN = (
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example@127.0.0.1",
    "127.0.0.1@evil.example",
    "127.0.0.1/evil.example",
    "192.168.1.5:{port}",
    "0.0.0.0",
    "127.0.0.1:port",
    "[::1",
    "",
)
MACHINE = "0.0.0.0:0"


async def test_only_our_own_names_are_answered(tmp_path: Path) -> None:
    """A page whose domain was made to resolve here still says its own name."""
    async with glass(Stage(), tmp_path) as seen:
        for host in OURS:
            answer = await seen.ask("/api/status", {"Host": host.format(port=seen.port)})
            assert answer.status == 200, host
        for host in FOREIGN:
            for path in ("/api/status", "/", "/metrics", "/healthz", "/api/events"):
                answer = await seen.ask(path, {"Host": host.format(port=seen.port)})
                assert answer.status == 421, (host, path)
                assert b"peer_id" not in answer.body


async def test_a_host_is_named_once(tmp_path: Path) -> None:
    """Two names could be read as either."""
    async with glass(Stage(), tmp_path) as seen:
        answer = await seen.ask("/api/status", {"host": "evil.example"})
        assert answer.status in (400, 421)


async def test_no_other_page_is_answered(tmp_path: Path) -> None:
    """A stranger's page says where it comes from; one of ours says the same as the address."""
    async with glass(Stage(), tmp_path) as seen:
        own = {"Origin": f"http://127.0.0.1:{seen.port}", "Sec-Fetch-Site": "same-origin"}
        assert (await seen.ask("/api/status", own)).status == 200
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": f"https://127.0.0.1:{seen.port}"},
            {"Origin": f"http://127.0.0.1:{seen.port + 1}"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        ):
            answer = await seen.ask("/api/status", headers)
            assert answer.status == 403, headers
            assert "access-control-allow-origin" not in answer.headers
        followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert (await seen.ask("/", followed)).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
async def test_it_can_be_read_and_nothing_else(tmp_path: Path, method: str) -> None:
    """Any other method is refused everywhere, before anyone looks at it."""
    async with glass(Stage(), tmp_path) as seen:
        for path in ("/", "/api/status", "/api/events", "/nowhere", "/metrics"):
            answer = await seen.ask(path, method=method)
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD"), path


async def test_nothing_is_taken(tmp_path: Path) -> None:
    """A request brings no body, and no more of an address or of headers than anyone needs."""
    async with glass(Stage(), tmp_path) as seen:
        body = await seen.ask("/api/status", {"Content-Length": "5"}, body=b"hello")
        assert body.status == 413
        chunked = {"Transfer-Encoding": "chunked"}
        assert (await seen.ask("/api/status", chunked, body=b"0\r\n\r\n")).status == 413
        for long in ("/api/leaderboard?state=" + "x" * 100_000, "/" + "x" * 100_000):
            assert (await seen.ask(long)).status in (400, 431)
        assert (await seen.ask("/api/status", {"X-Much": "x" * 100_000})).status in (400, 431)
        assert (await seen.ask("/api/status")).status == 200


async def test_every_answer_says_what_a_browser_may_do_with_it(tmp_path: Path) -> None:
    """Refusals, errors and files of the page too."""
    async with glass(Stage(), tmp_path) as seen:
        seen.stage.broken = True
        for path in ("/", "/nowhere", "/api/status", "/api/nowhere", "/api/log", "/metrics"):
            answer = await seen.ask(path)
            assert {answer.headers[name.lower()] == value for name, value in HEADERS.items()} == {
                True
            }
        assert "unsafe" not in HEADERS["Content-Security-Policy"]


async def test_other_machines_need_the_token(tmp_path: Path) -> None:
    """It is asked for wherever one listens beyond loopback, and only there."""
    async with glass(Stage(), tmp_path, api=MACHINE) as seen:
        token = token_of(seen)
        for path in ("/", "/api/status", "/metrics", "/api/events", "/nowhere"):
            for headers in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": f"Basic {token}"},
                {"Cookie": "research_swarm_token=wrong"},
            ):
                assert (await seen.ask(path, headers)).status == 401, (path, headers)
        assert (await seen.ask(f"/api/status?token={token}x")).status == 401
        assert (await seen.ask("/healthz")).status == 200
        assert (await seen.ask("/api/status", {"Authorization": f"Bearer {token}"})).status == 200
        assert (await seen.ask(f"/api/status?token={token}")).status == 200
        assert (await seen.ask("/api/status", {"Host": "evil.example"})).status == 421
        assert (await seen.ask(f"/?token={token}", {"Host": "192.168.1.5"})).status == 303


async def test_the_printed_address_is_one_that_others_can_use(tmp_path: Path) -> None:
    """Not the wildcard; programs of this machine are told of loopback, without the token."""
    async with glass(Stage(), tmp_path, api=MACHINE) as seen:
        assert urlsplit(seen.address).hostname not in ("0.0.0.0", None)
        assert seen.watch.url == f"http://127.0.0.1:{seen.port}"


async def test_the_printed_address_lets_a_browser_in(tmp_path: Path) -> None:
    """It stores a cookie that no script reads, and the token leaves the address."""
    async with glass(Stage(), tmp_path, api=MACHINE) as seen:
        token = token_of(seen)
        welcome = await seen.ask(f"/?token={token}&view=lineage")
        assert (welcome.status, welcome.headers["location"]) == (303, "/?view=lineage")
        cookie = welcome.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie
        shown = {"Cookie": cookie.split(";")[0]}
        for path in ("/", "/api/status"):
            assert (await seen.ask(path, shown)).status == 200
        elsewhere = await seen.ask(f"//evil.example/?token={token}")
        assert urlsplit(elsewhere.headers["location"]).netloc == ""


def token_of(seen: Glass) -> str:
    """The token in the printed address, which is the one in the home."""
    token = urlsplit(seen.address).query.removeprefix("token=")
    assert len(token) >= 32
    return token


def test_the_token_is_the_owners_alone(tmp_path: Path) -> None:
    """Made once, mode 0600; one that others can read, or that is none, is refused."""
    path = tmp_path / "watch.token"
    token = token_in(path)
    assert token_in(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(WatchError, match="others can read"):
        token_in(path)
    path.chmod(0o600)
    path.write_text("short\n")
    with pytest.raises(WatchError, match="holds no token"):
        token_in(path)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Example.org:80", "example.org"),
        ("[::1]:80", "::1"),
        ("a b", None),
        ("user@host", None),
        ("host/path", None),
        ("host:99999", None),
        ("[", None),
    ],
)
def test_host_names_are_read_strictly(host: str, name: str | None) -> None:
    assert host_name(host) == name or (name is None and not is_loopback(host_name(host) or ""))
