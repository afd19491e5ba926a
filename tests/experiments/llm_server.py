"""A real HTTP server on loopback that answers as a language model's endpoint, by a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from swarm.settings import LlmSettings

MODEL = "scripted"
GOOD: Mapping[str, object] = {
    "title": "A small shift",
    "rationale": "It starts nearer to the best place.",
    "family": "init",
    "edits": [{"path": "train.py", "search": 'SHIFT = "none"', "replace": 'SHIFT = "small"'}],
}


@dataclass
class Step:
    """What is answered to one question; `text` is the model's, `body` instead of all of it."""

    text: str = ""
    status: int = 200
    body: bytes | None = None
    seconds: float = 0.0
    finish: str = "stop"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    usage: Mapping[str, int] | None = field(
        default_factory=lambda: {"prompt_tokens": 900, "completion_tokens": 100}
    )

    def content(self) -> bytes:
        """The body that is sent."""
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"error": {"message": self.text}}).encode()
        choice = {
            "index": 0,
            "finish_reason": self.finish,
            "message": {"role": "assistant", "content": self.text},
        }
        return json.dumps({"id": "1", "choices": [choice], "usage": self.usage}).encode()


@dataclass
class Scripted:
    """What will be said, step by step, the last again and again; and what was asked."""

    steps: Sequence[Step]
    knows_schema: bool = True
    repair: Step | None = None
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str] = field(default_factory=list[str])
    url: str = ""

    def settings(self, **more: Any) -> LlmSettings:
        """Settings that point here."""
        fields: dict[str, Any] = {"base_url": self.url, "model": MODEL, "timeout_seconds": 30}
        return LlmSettings(**(fields | more))

    def told(self, number: int = -1) -> str:
        """All that was said to the model in one question."""
        return "\n".join(message["content"] for message in self.asked[number]["messages"])

    def step(self, question: dict[str, Any]) -> Step:
        """What is answered to a question."""
        if "response_format" in question and not self.knows_schema:
            return Step("response_format is not supported", status=400)
        self.asked.append(question)
        if self.repair is not None and "did not run" in self.told():
            return self.repair
        return self.steps[min(len(self.asked), len(self.steps)) - 1]


def good(**changes: object) -> Step:
    """A step that answers with a usable idea, changed in some fields."""
    return Step(json.dumps({**GOOD, **changes}))


@contextmanager
def serving(
    *steps: Step, knows_schema: bool = True, repair: Step | None = None
) -> Generator[Scripted]:
    """A server that answers by these steps; with `repair` where an idea is given back."""
    script = Scripted(steps, knows_schema, repair)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, json.dumps({"data": [{"id": MODEL}, {"id": "other"}]}).encode(), {})

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["content-length"])))
            script.keys.append(self.headers["authorization"])
            step = script.step(question)
            stopped.wait(step.seconds)
            self._send(step.status, step.content(), step.headers)

        def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            try:
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                return  # whoever asked has gone

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    stopped = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def unused_url() -> str:
    """An address at which nothing answers."""
    with serving(Step()) as script:
        return script.url
