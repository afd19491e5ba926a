"""Every door through which a stranger's bytes come in, and what is thrown at it."""
