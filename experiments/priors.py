"""The priors that come with the program, read from `configs/strategy/priors.toml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from swarm.priors import Priors, PriorsError, parse_priors

PRIORS = Path(__file__).parent.parent / "configs" / "strategy" / "priors.toml"


@cache
def load_priors() -> Priors:
    """
    The prior of every class of hardware.

    Raises:
        PriorsError: The file is missing or was changed to something unusable.
    """
    try:
        return parse_priors(PRIORS.read_bytes())
    except OSError as error:
        raise PriorsError(f"{PRIORS} cannot be read ({error.strerror}): install again") from error
    except PriorsError as error:
        raise PriorsError(f"{PRIORS}: {error}") from error
