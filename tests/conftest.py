"""
What holds for every test: a busy machine makes one slow, never wrong.

Examples that Hypothesis draws have no deadline, and none is called too slow to draw.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "busy",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("busy")
