"""A small network of real network namespaces, where this machine lets us make one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager


def why_not() -> str:
    """Why namespaces cannot be made here; "" if they can."""
    if os.name != "posix" or shutil.which("ip") is None:
        return "there is no `ip` command"
    probe = _name("probe")
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False)
    if made.returncode:
        return f"`ip netns add` failed: {made.stderr.decode(errors='replace').strip()}"
    subprocess.run(["ip", "netns", "del", probe], check=False)
    return ""


@contextmanager
def lan(hosts: int) -> Generator[list[str]]:
    """Namespaces on one bridge, by name; the one at index n has the address 10.77.0.(n+1)."""
    names, switch = [_name(f"lan{number}") for number in range(hosts)], _name("switch")
    try:
        for name in (switch, *names):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        for number, name in enumerate(names):
            port = f"port{number}"
            _ip(*f"link add lan netns {name} type veth peer name {port} netns {switch}".split())
            _ip("-n", switch, "link", "set", port, "master", "bridge", "up")
            _ip("-n", name, "addr", "add", f"10.77.0.{number + 1}/24", "dev", "lan")
            _ip("-n", name, "link", "set", "lan", "up")
        yield names
    finally:
        for name in (*names, switch):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _name(what: str) -> str:
    return f"swarm-{os.getpid()}-{what}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
