"""Prints a loss that depends on the settings, the seed and a little noise."""

import math
import os
import random

# --- settings: one NAME = value per line ---
SLOPE = 0.1  # best at 1.0
SHIFT = "none"  # best at "small"
WIDTH = 1  # best at 4
# --- end of settings ---

seed = int(os.environ["SWARM_SEED"])
shared = random.Random(seed).gauss(0, 0.05)
own = random.Random(f"{seed}/{SLOPE}/{SHIFT}/{WIDTH}").gauss(0, 0.004)
loss = 2.0 + 0.2 * abs(math.log10(SLOPE)) + 0.1 * abs(math.log2(WIDTH) - 2)
loss += {"none": 0.3, "small": 0.0, "large": 0.5}[SHIFT]
print(f"loss: {loss + shared + own}")
