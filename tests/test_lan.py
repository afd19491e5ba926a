"""Two nodes on one local network find each other with no flag, whatever else is sent there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.task_folder import load_task
from gossip.mdns import service_type
from gossip.topics import Topic
from tests import namespaces
from tests.processes import TOY, nodes, wait_until

MDNS = {"SWARM_NETWORK__MDNS": "true"}

_NOISE = """
import os, random, socket, struct, sys, time
service, chance = sys.argv[1], random.Random(1)
def name(*labels): return b"".join(bytes([len(x)]) + x for x in labels) + b"\\0"
kind = [label.encode() for label in service.rstrip(".").split(".")]
def record(owner, number, data, ttl=120):
    return owner + struct.pack("!HHIH", number, 1, ttl, len(data)) + data
def lie(n):
    own = name(b"liar%d" % n, *kind)
    says = b"dnsaddr=/ip4/8.8.8.8/tcp/53/p2p/12D3KooWJWEKvSFbben74C7H4YtKjhPMTDxd7gP7RdbnxRVVbBcv"
    text = bytes([len(says)]) + says + b"\\xff" * chance.randrange(40)
    records = [record(name(*kind), 12, own), record(own, 16, text),
               record(own, 33, struct.pack("!HHH", 0, 0, 9) + name(b"x", b"local")),
               record(name(b"x", b"local"), 1, bytes([8, 8, 8, 8]))]
    return struct.pack("!6H", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("10.77.0.3", 5353))
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.77.0.3"))
loop = bytes.fromhex("000084000000000100000000c00c000c0001000000780002c00c")
end, n = time.time() + float(sys.argv[2]), 0
print("sending", flush=True)
while time.time() < end:
    n += 1
    good = lie(n)
    cut = bytes(b if chance.random() > .05 else chance.randrange(256) for b in good)
    for packet in (good, cut, good[:chance.randrange(len(good))], os.urandom(200), loop):
        out.sendto(packet, ("224.0.0.251", 5353))
    time.sleep(0.1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_two_nodes_on_a_lan_with_a_liar_find_each_other(tmp_path: Path) -> None:
    """And neither believes the liar, who names a public address, nor minds its broken packets."""
    if reason := namespaces.why_not():
        pytest.skip(reason)
    service = service_type(Topic.public(load_task(str(TOY)).task.id).dht_key)
    with namespaces.lan(3) as hosts, nodes(tmp_path, 2) as swarm:
        noise = subprocess.Popen(
            ["ip", "netns", "exec", hosts[2], sys.executable, "-c", _NOISE, service, "60"]
        )
        try:
            for node, host in zip(swarm, hosts, strict=False):
                node.launch("--observe", "--api", "off", listen=None, within=host, environment=MDNS)
            wait_until(lambda: all(node.status().get("peers") == 1 for node in swarm))
        finally:
            noise.kill()
            noise.wait()
        ways = [way for node in swarm for way in node.status()["network"]["found_by"].values()]
        assert "local network" in ways
        for node in swarm:
            assert node.end() == 0
            assert "8.8.8.8" not in next(node.root.glob("peers*.json")).read_text()
