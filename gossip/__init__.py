"""
Move envelopes between peers, remember them, reconcile them.

Law: a record is bytes plus a verdict. Gossip is a hint, sync is the guarantee,
and everything a peer sends is bounded.
"""
