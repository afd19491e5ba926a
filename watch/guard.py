"""
Who may read: the door in front of every path of the API.

A browser runs strangers' pages on the same machine as a node. What keeps those out:
the name under which the node is asked for must be an address or a name of ours, so a
stranger's domain that was made to resolve to this machine (DNS rebinding) is refused;
a request that says it comes from another origin is refused; and on addresses that
other machines can reach, a token is needed.

Law: reads only, so nothing but GET and HEAD; what is refused learns nothing.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watch.json_text import to_json

COOKIE = "research_swarm_token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OPEN_PATHS = ("/healthz",)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request gets no answer."""

    status: int
    sentence: str


class Guard:
    """
    An ASGI application that lets through what may be read.

    Args:
        app: What is behind the door.
        host: The address or name that is listened on.
        token: What readers must show; None on a loopback address.
    """

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self._app = app
        self._host = host.lower()
        self._token = token
        self._local = is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._answer(scope) or self._app
        await answer(scope, receive, send_guarded)

    def _answer(self, scope: Scope) -> Response | None:
        """What to say instead of an answer; None: let it through."""
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            return refused(refusal.status, refusal.sentence)
        if self._token is None or scope["path"] in OPEN_PATHS:
            return None
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token")
        if given is not None and _same(given, self._token):
            return (
                None if scope["path"].startswith(("/api", "/metrics")) else _welcome(scope, given)
            )
        shown = [_bearer(headers), cookie_parser(headers.get("cookie", "")).get(COOKIE)]
        if any(each is not None and _same(each, self._token) for each in shown):
            return None
        sentence = "open the address that `swarm start` printed, with its token"
        return refused(401, sentence, {"WWW-Authenticate": "Bearer"})

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return Refusal(421, "this node does not go by that name; use its address")
        if not _is_same_origin(scope, headers):
            return Refusal(403, "this node answers no other page than its own")
        if scope["method"] not in ("GET", "HEAD"):
            return Refusal(405, "this node can be read and nothing else")
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return Refusal(413, "send no body")
        return None

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        if name is None:
            return False
        if self._local:
            return is_loopback(name)
        return name == self._host or name == "localhost" or _is_address(name)


def host_name(host: str) -> str | None:
    """The name in a Host header without its port, in lower case; None where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        if parts.netloc != host or parts.username is not None or parts.path or parts.query:
            return None
        _ = parts.port
        return parts.hostname
    except ValueError:
        return None


def is_loopback(name: str) -> bool:
    """Whether a name or address means this machine and nothing else."""
    if name == "localhost":
        return True
    return _is_address(name) and ipaddress.ip_address(name).is_loopback


def refused(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as every reader gets it."""
    allow = {"Allow": "GET, HEAD"} if status == 405 else {}
    return Response(
        to_json({"error": sentence}),
        status,
        {"Cache-Control": "no-store", **allow, **(headers or {})},
        "application/json",
    )


def _is_same_origin(scope: Scope, headers: Headers) -> bool:
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{headers['host'].lower()}":
        return False
    site = headers.get("sec-fetch-site", "none")
    followed_a_link = headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"
    return site in ("none", "same-origin") or followed_a_link


def _welcome(scope: Scope, token: str) -> Response:
    """Keep the token in the browser and take it out of the address."""
    query = parse_qsl(scope["query_string"].decode("latin-1"))
    rest = urlencode([(name, value) for name, value in query if name != "token"])
    # One slash: an address that begins with two would name another host.
    path = "/" + quote(scope["path"].lstrip("/\\"))
    response = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax")
    return response


def _bearer(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
