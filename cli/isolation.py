"""What `swarm doctor` says of the sandboxes: which is used, what it holds, why not others."""

from collections.abc import Iterator

from cli.finding import Finding
from cli.text import plain
from experiments.sandbox import Harness, Sandbox, all_sandboxes, best_sandbox
from swarm.settings import Accept

_USES: dict[Harness, str] = {"stream": "training", "command": "commands"}
_LIMITS = ("limits", "processor, memory, files and log, watched by the harness")
_FIX = "apt install bubblewrap, or Linux 5.13 or later with Landlock; the node takes part without"


def isolation_findings(accept: Accept) -> Iterator[Finding]:
    """
    One finding for each way tasks run, one for the policy, one for each sandbox not used.

    Args:
        accept: The policy of the settings.
    """
    used: dict[Harness, Sandbox] = {harness: best_sandbox(harness) for harness in _USES}
    for harness, sandbox in used.items():
        yield _used(_USES[harness], sandbox)
    yield _policy(accept, used)
    for sandbox in all_sandboxes():
        reason = sandbox.missing()
        if sandbox.isolates and reason is not None:
            yield Finding("off", "isolation", f"{sandbox.name} is not used: {plain(reason)}")


def _used(use: str, sandbox: Sandbox) -> Finding:
    if sandbox.isolates:
        words = f"{use} in {sandbox.name}"
        return Finding("ok", "isolation", words, details=(*sandbox.holds.items(), _LIMITS))
    return Finding("note", "isolation", f"none for {use}", _FIX)


def _policy(accept: Accept, used: dict[Harness, Sandbox]) -> Finding:
    """What is taken from peers in effect: settings may ask for more than isolation allows."""
    if accept == "knobs":
        return Finding("ok", "accepts", "knob diffs only, as the settings say (search.accept)")
    able = [_USES[harness] for harness, sandbox in used.items() if sandbox.isolates]
    if len(able) == len(used):
        return Finding("ok", "accepts", "code diffs of peers, always isolated")
    words = f"code diffs for {able[0]} tasks only" if able else "knob diffs only"
    return Finding("note", "accepts", f"{words}: changed code needs isolation")
