"""
What holds for every test: a busy machine makes one slow, never wrong.

Examples that Hypothesis draws have no deadline, and none is called too slow to draw.
Nodes look for nobody in the machine's own networks: tests that run beside them would
be found. Those of `tests/test_lan.py` have networks of their own.

Ctrl-C reaches the programs under test also where this run itself is in the background
and so ignores it, which its children would inherit.
"""

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "busy",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("busy")
os.environ["SWARM_NETWORK__MDNS"] = "false"
signal.signal(signal.SIGINT, signal.default_int_handler)
