"""
Turn a hypothesis into measurements.

Law: one experiment can fail in any way without touching the node or another
experiment.
"""
