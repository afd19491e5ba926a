"""
The default task: a small GPT, its data and its metric.

Law: stands alone. Nothing here imports the rest of the repository, and
`python baseline_train/train.py` works by hand.
"""
