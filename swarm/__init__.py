"""
The rules of the swarm: what we say, and what we believe.

Law: pure functions and frozen data. No IO, no clock, no randomness of its own;
the same inputs give the same answer on every peer.
"""
