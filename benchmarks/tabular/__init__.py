"""A stand-in for training, made from a table of real runs: to tune a search in seconds."""
