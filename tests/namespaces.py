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
            _plug(name, "lan", f"10.77.0.{number + 1}/24", switch, f"port{number}")
        yield names
    finally:
        for name in (*names, switch):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextmanager
def internet(open_hosts: int, hidden_hosts: int) -> Generator[tuple[list[str], list[str]]]:
    """
    Namespaces with addresses of their own in one network, and others each behind a NAT.

    The open one at index n is 203.0.113.(n+1). A hidden one has 192.168.1.2 behind a router
    that masks it with nftables and lets in only what belongs to what went out.
    """
    opened = [_name(f"open{number}") for number in range(open_hosts)]
    hidden = [_name(f"hidden{number}") for number in range(hidden_hosts)]
    routers = [_name(f"router{number}") for number in range(hidden_hosts)]
    switch = _name("switch")
    everyone = (switch, *opened, *hidden, *routers)
    try:
        for name in everyone:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        for number, name in enumerate((*opened, *routers)):
            _plug(name, "out", f"203.0.113.{number + 1}/24", switch, f"port{number}")
        for router, name in zip(routers, hidden, strict=True):
            _ip(*f"link add lan netns {name} type veth peer name in netns {router}".split())
            for host, device, address in (
                (router, "in", "192.168.1.1/24"),
                (name, "lan", "192.168.1.2/24"),
            ):
                _ip("-n", host, "addr", "add", address, "dev", device)
                _ip("-n", host, "link", "set", device, "up")
            _ip("-n", name, "route", "add", "default", "via", "192.168.1.1")
            _ip("netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            _ip("netns", "exec", router, "nft", _NAT)
        yield opened, hidden
    finally:
        for name in everyone:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


_NAT = """
add table ip nat
add chain ip nat out { type nat hook postrouting priority 100; }
add rule ip nat out oifname "out" masquerade
add table ip filter
add chain ip filter pass { type filter hook forward priority 0; policy drop; }
add rule ip filter pass ct state established,related accept
add rule ip filter pass iifname "in" accept
add chain ip filter come { type filter hook input priority 0; policy drop; }
add rule ip filter come ct state established,related accept
"""


def _plug(name: str, device: str, address: str, switch: str, port: str) -> None:
    _ip(*f"link add {device} netns {name} type veth peer name {port} netns {switch}".split())
    _ip("-n", switch, "link", "set", port, "master", "bridge", "up")
    _ip("-n", name, "addr", "add", address, "dev", device)
    _ip("-n", name, "link", "set", device, "up")


def _name(what: str) -> str:
    return f"swarm-{os.getpid()}-{what}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
