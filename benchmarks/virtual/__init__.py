"""Whole nodes in virtual time: everything real but the machine, the disk and the wire."""
